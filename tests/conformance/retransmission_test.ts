import assert from "node:assert/strict";
import { type BoshResponse, stayUnanswered } from "../support/bosh_client.ts";
import { CREATION, gather, idsOf, message, pass, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AA==</auth>";

onBothFronts(
  "B-097 B-098 a repeated rid gets the same answer, and nothing of it is forwarded again",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const texts = [];
    for (let i = 0; i < 2; i++) {
      const waiting = client.send("", message(i));
      await upstream.expect("</message>");
      upstream.write(message(`down${i}`));
      texts.push((await waiting.answer).text);
    }
    const newest = client.rid;
    upstream.write(message("queued"));
    for (
      const [rid, text] of [[newest, texts[1]], [newest - 1, texts[0]], [newest, texts[1]]] as const
    ) {
      const again = await client.ask("", message("another"), { rid });
      assert.equal(again.text, text);
    }
    assert.deepEqual(idsOf(await client.ask("", message("next"))), ["queued"]);
    assert.equal(await upstream.expect("</message>"), message("next"));
  },
);

onBothFronts(
  "B-097 as in Prosody's suite: a long poll that was released is answered again in the same way, twice over",
  async () => {
    await using stage = await Stage.set();
    const { client } = await stage.open();
    const poll = client.send();
    const next = client.send("", message(1));
    const { text } = await poll.answer;
    for (let i = 0; i < 2; i++) {
      assert.equal((await client.ask("", "", { rid: poll.rid })).text, text);
    }
    await stayUnanswered(next);
  },
);

onBothFronts(
  "B-097 B-101 as in Punjab's suite: repeating the login does not shift the window",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const login = client.send("", AUTH);
    await upstream.expect("</auth>");
    upstream.write("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    const { text } = await login.answer;
    for (let i = 0; i < 8; i++) {
      assert.equal((await client.ask("", AUTH, { rid: login.rid })).text, text);
    }
    const going = client.send("", "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    assert.doesNotMatch(await upstream.expect("<response"), /<auth/);
    upstream.write(message(1));
    assert.deepEqual(idsOf(await going.answer), ["1"]);
  },
);

onBothFronts(
  "B-099 B-125 as in Prosody's suite: a rid that is held and repeated moves to the new connection",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const held = client.send("", message(1));
    await upstream.expect("</message>");
    const again = client.send("", message(1), { rid: held.rid });
    const { payloads, type } = await held.answer;
    assert.equal(payloads.length, 0);
    assert.ok(type === undefined || type === "error");
    upstream.write(message("data"));
    assert.deepEqual(idsOf(await again.answer), ["data"]);
    client.send("", message(2));
    assert.equal(await upstream.expect("</message>"), message(2), "forwarded once");
  },
);

onBothFronts("B-100 B-117 a rid whose answer is gone ends the session", async () => {
  await using stage = await Stage.set();
  const { client, upstream, creation } = await stage.open();
  const requests = Number(creation.get("requests"));
  const first = client.rid + 1;
  for (let i = 0; i <= requests + 1; i++) {
    client.send("", message(i));
    await upstream.expect("</message>");
  }
  const { condition, http } = await client.ask("", message("never"), { rid: first });
  assert.deepEqual([condition, http.status], ["item-not-found", 200]);
  assert.equal(await upstream.expectEnd(), "");
});

onBothFronts(
  "B-101 as in Prosody's suite: rids up to R+requests wait, the one beyond ends the session, by the same name as one too small",
  async () => {
    await using stage = await Stage.set();
    for (const beyond of [1, 997]) {
      const { client, upstream, creation } = await stage.open();
      const last = client.rid;
      const requests = Number(creation.get("requests"));
      const waiting = client.send("", message("never"), { rid: last + requests });
      await stayUnanswered(waiting);
      const { condition } = await client.ask("", "", { rid: last + requests + beyond });
      assert.equal(condition, "item-not-found");
      assert.equal((await waiting.answer).type, "terminate");
      assert.equal(await upstream.expectEnd(), "");
      assert.equal((await client.ask("", "", { rid: last + 1 })).type, "terminate");
    }
  },
);

onBothFronts("B-102 rids are exact up to 2^53 - 1", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open(CREATION, { rid: 9_007_199_254_740_980 });
  for (let i = 0; i < 11; i++) {
    const waiting = client.send("", message(i));
    assert.equal(await upstream.expect("</message>"), message(i));
    upstream.write(message(i));
    assert.deepEqual(idsOf(await waiting.answer), [String(i)]);
  }
  assert.equal(client.rid, Number.MAX_SAFE_INTEGER);
  // Written out, because no number of ours is that one.
  const beyond = client.connect();
  const body =
    `<body xmlns='http://jabber.org/protocol/httpbind' rid='9007199254740992' sid='${client.sid}'/>`;
  const { body: answer } = await beyond.send({ body });
  assert.match(new TextDecoder().decode(answer), /condition='bad-request'/);
});

onBothFronts(
  "B-103 B-104 the creation response and empty answers are repeated like all others",
  async () => {
    await using stage = await Stage.set();
    const { client, creation } = await stage.open();
    const repeated = client.connect();
    const body =
      `<body xmlns='http://jabber.org/protocol/httpbind' rid='${client.rid}' sid='${client.sid}'/>`;
    const { body: again } = await repeated.send({ body });
    assert.equal(new TextDecoder().decode(again), creation.text);
    const empty = client.send();
    client.send("", message(1));
    const { text } = await empty.answer;
    assert.equal((await client.ask("", "", { rid: empty.rid })).text, text);
  },
);

onBothFronts("B-105 who asks late why the session ended is told the same again", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open();
  const held = client.send("", message(1));
  await upstream.expect("</message>");
  upstream.write(
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
  );
  assert.equal((await held.answer).condition, "remote-stream-error");
  for (const how of [{ rid: held.rid }, {}]) {
    const { type, condition } = await client.ask("", "", how);
    assert.deepEqual([type, condition], ["terminate", "remote-stream-error"]);
  }
});

onBothFronts(
  "B-106 what a server sends to a client that pauses is bounded, and none of it is lost",
  async () => {
    await using stage = await Stage.set({ limits: "queued_bytes = 2_000_000" });
    const { client, upstream } = await stage.open();
    await client.ask("pause='60'");
    const filler = `<body>${"x".repeat(50_000)}</body>`;
    const count = 600;
    for (let i = 0; i < count; i++) upstream.write(message(i, filler));
    // What the connection manager does not read stays with the server.
    let unsent = upstream.unsent;
    for (;;) {
      await pass(0.2);
      if (upstream.unsent === unsent) break;
      unsent = upstream.unsent;
    }
    assert.ok(unsent > 5_000_000, `${unsent} bytes`);
    const answers: BoshResponse[] = await gather(client, count);
    assert.deepEqual(idsOf(...answers), Array.from({ length: count }, (_, i) => String(i)));
  },
);
