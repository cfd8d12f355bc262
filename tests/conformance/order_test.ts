import assert from "node:assert/strict";
import { type BoshRequest, stayUnanswered } from "../support/bosh_client.ts";
import { streamFeatures, streamHeader } from "../support/upstream_server.ts";
import { CREATION, gather, idsOf, message, nextHeader, Stage, type Talk } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

onBothFronts(
  "B-056 B-065 payloads reach the server in rid order, and what waits behind a gap is not answered",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const first = client.rid + 1;
    const late = client.send("", message("b") + message("c"), { rid: first + 1 });
    await stayUnanswered(late);
    upstream.write(message("data"));
    await stayUnanswered(late);
    const early = client.send("", message("a"), { rid: first });
    assert.deepEqual(idsOf(await early.answer), ["data"]);
    const received = await upstream.expect("</message>") + await upstream.expect("</message>") +
      await upstream.expect("</message>");
    assert.equal(received, message("a") + message("b") + message("c"));
    upstream.write(message("more"));
    assert.deepEqual(idsOf(await late.answer), ["more"]);
  },
);

onBothFronts(
  "B-056 B-057 interleaved as in MongooseIM's suite: rids R+1, R, R+2, R+3 arrive in order and the session lives",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const first = client.rid + 1;
    const requests: BoshRequest[] = [];
    for (const offset of [1, 0, 2, 3]) {
      requests.push(client.send("", message(offset), { rid: first + offset }));
    }
    let received = "";
    for (let i = 0; i < 4; i++) received += await upstream.expect("</message>");
    assert.equal(received, [0, 1, 2, 3].map((id) => message(id)).join(""));
    upstream.write(message("down"));
    assert.deepEqual(idsOf(...await Promise.all(requests.map(({ answer }) => answer))), ["down"]);
  },
);

onBothFronts(
  "B-057 B-062 B-065 whatever the order of requests, answers are in rid order and messages complete, both ways",
  async () => {
    const seeds = Array.from({ length: 12 }, () => Math.floor(Math.random() * 2 ** 31));
    await Promise.all(seeds.map(async (seed) => {
      await using stage = await Stage.set({ bosh: "max_hold = 4" });
      try {
        await interleave(await stage.open(CREATION.replace("hold='1'", "hold='4'")), random(seed));
      } catch (error) {
        throw new Error(`with seed ${seed}`, { cause: error });
      }
    }));
  },
);

/** Rounds of requests that are sent in any order within the window, and messages to both sides. */
async function interleave({ client, upstream }: Talk, chance: (below: number) => number) {
  const answered: number[] = [];
  const down: string[] = [];
  const open: BoshRequest[] = [];
  let up = 0;
  let sent = 0;
  for (let round = 0; round < 30; round++) {
    // As many as the window has room for, so that whatever comes first may come.
    const count = 1 + chance(3);
    const rids = Array.from({ length: count }, (_, i) => client.rid + 1 + i);
    const ids = new Map(rids.map((rid) => [rid, up++]));
    while (rids.length > 0) {
      const rid = rids.splice(chance(rids.length), 1)[0]!;
      const request = client.send("", message(ids.get(rid)!), { rid });
      open.push(request);
      request.answer.then((answer) => {
        answered.push(rid);
        down.push(...idsOf(answer));
      }, () => {});
    }
    for (const id of ids.values()) {
      assert.equal(await upstream.expect("</message>"), message(id));
    }
    open.sort((a, b) => a.rid - b.rid);
    // What is released for others comes out of order at most between connections.
    while (open.length > 4) await open.shift()!.answer;
    // One message at a time: exactly one request is answered for it, and that is the oldest.
    for (let more = chance(open.length); more > 0; more--) {
      upstream.write(message(sent++));
      const [oldest] = open.splice(0, 1);
      await oldest!.answer;
      assert.equal(answered.at(-1), oldest!.rid);
    }
  }
  while (open.length > 0) {
    upstream.write(message(sent++));
    await open.shift()!.answer;
  }
  assert.deepEqual(down, Array.from({ length: sent }, (_, i) => String(i)));
}

onBothFronts(
  "B-056 B-057 X-019 as in Prosody's suite: a request ahead of the login is answered behind it",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const first = client.rid + 1;
    const bind = client.send("xmpp:restart='true'", "", { rid: first + 1 });
    await stayUnanswered(bind);
    const auth = client.send("", AUTH, { rid: first });
    await upstream.expect(AUTH);
    await nextHeader(upstream);
    upstream.write(SUCCESS);
    upstream.write(
      streamHeader("2") + streamFeatures("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"),
    );
    const names = (await gather(client, 2, [auth, bind])).flatMap(({ payloads }) =>
      payloads.map(({ name }) => name)
    );
    assert.deepEqual(names, ["success", "features"]);
  },
);

onBothFronts(
  "B-058 B-059 B-064 an empty answer comes shortly before the wait is over, to requests of both kinds",
  async () => {
    await Promise.all(["", message(1)].map(async (content) => {
      await using stage = await Stage.set();
      const { client } = await stage.open(CREATION.replace("wait='10'", "wait='2'"));
      const start = performance.now();
      const { payloads, type } = await client.ask("", content);
      const waited = performance.now() - start;
      assert.deepEqual([payloads.length, type], [0, undefined]);
      assert.ok(waited >= 1500, `${waited} ms are too early`);
      assert.ok(waited < 4000, `${waited} ms are too late`);
    }));
  },
);

onBothFronts("B-060 B-064 of more requests than hold, the oldest is answered at once", async () => {
  await using stage = await Stage.set();
  for (const hold of [1, 2]) {
    const { client } = await stage.open(CREATION.replace("hold='1'", `hold='${hold}'`));
    const held: BoshRequest[] = [];
    for (const content of ["", message(1), "", message(2), "", ""]) {
      held.push(client.send("", content));
      if (held.length <= hold) continue;
      assert.equal((await held.shift()!.answer).payloads.length, 0);
    }
    await stayUnanswered(...held);
  }
});

onBothFronts(
  "B-061 B-062 data goes to the oldest held request at once, or to the next one that comes",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open(CREATION.replace("hold='1'", "hold='2'"));
    const [older, newer] = [client.send(), client.send()];
    upstream.write(message(1));
    assert.deepEqual(idsOf(await older.answer), ["1"]);
    upstream.write(message(2));
    assert.deepEqual(idsOf(await newer.answer), ["2"]);
    upstream.write(message(3) + message(4));
    assert.deepEqual(idsOf(...await gather(client, 2)), ["3", "4"]);
  },
);

onBothFronts(
  "B-062 five hundred messages in pieces that split tags and characters arrive whole and in order",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const chance = random(1);
    const text = Array.from({ length: 500 }, (_, i) => message(i, `<body a='ü'>😀 ${i}</body>`))
      .join("");
    const bytes = new TextEncoder().encode(text);
    const reading = gather(client, 500);
    for (let at = 0; at < bytes.length;) {
      const size = 1 + chance(400);
      upstream.write(bytes.subarray(at, at + size));
      at += size;
      await new Promise((resolve) => setTimeout(resolve));
    }
    const answers = await reading;
    assert.deepEqual(idsOf(...answers), Array.from({ length: 500 }, (_, i) => String(i)));
    for (const { payloads } of answers) {
      for (const { children, attributes } of payloads) {
        const [body] = children;
        assert.ok(typeof body === "object");
        assert.deepEqual(body.children, [`😀 ${attributes.get("id")!.value}`]);
      }
    }
  },
);

onBothFronts(
  "B-063 a burst comes in bodies of bearable size, one at the heels of the other",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const filler = `<body>${"x".repeat(5000)}</body>`;
    const text = Array.from({ length: 1000 }, (_, i) => message(i, filler)).join("");
    await client.ask("pause='60'");
    upstream.write(text);
    const answers = await gather(client, 1000);
    assert.deepEqual(idsOf(...answers), Array.from({ length: 1000 }, (_, i) => String(i)));
    for (const { http } of answers) assert.ok(http.body.length < 1_000_000);
  },
);

onBothFronts(
  "B-066 a gap that does not close ends the session after the inactivity time",
  async () => {
    await using stage = await Stage.set({ bosh: "inactivity = 1\npolling = 0" });
    const { client, upstream } = await stage.open();
    const waiting = client.send("", message("never"), { rid: client.rid + 2 });
    assert.equal((await waiting.answer).condition, "item-not-found");
    assert.equal(await upstream.expectEnd(), "");
    assert.equal((await client.ask()).condition, "item-not-found");
  },
);

onBothFronts(
  "B-067 B-080 requests may use any connections, as many as requests and one more",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream, creation } = await stage.open(
      CREATION.replace("hold='1'", "hold='2'"),
    );
    assert.equal(creation.get("requests"), "3");
    const connections = Array.from({ length: 4 }, () => client.connect());
    for (let round = 0; round < 4; round++) {
      const held = [0, 1].map((i) =>
        client.send("", "", { connection: connections[(round + i) % 4]! })
      );
      const pause = client.send("pause='10'", "", { connection: connections[(round + 2) % 4]! });
      await Promise.all([...held, pause].map(({ answer }) => answer));
    }
    const fresh = client.send("", "", { connection: client.connect() });
    upstream.write(message(1));
    assert.deepEqual(idsOf(await fresh.answer), ["1"]);
  },
);

onBothFronts(
  "B-068 what a held request would have brought is not lost with its connection",
  async () => {
    await using stage = await Stage.set();
    for (const repeats of [true, false]) {
      const { client, upstream } = await stage.open();
      const lost = client.send("", message(1));
      await upstream.expect("</message>");
      lost.abort();
      await lost.connection.closed;
      upstream.write(message("data"));
      const next = client.send("", "", repeats ? { rid: lost.rid } : {});
      const answers = [await next.answer];
      // The loss may not have been noticed in time: then the answer to the lost rid has it.
      if (idsOf(...answers).length === 0) {
        answers.push(await client.ask("", "", { rid: lost.rid }));
      }
      assert.deepEqual(idsOf(...answers), ["data"]);
    }
  },
);

onBothFronts(
  "B-069 what comes together goes into the oldest answer, and the next request is left alone",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open(CREATION.replace("hold='1'", "hold='2'"));
    const [older, newer] = [client.send(), client.send("", message(0))];
    await upstream.expect("</message>");
    upstream.write(message(1) + message(2));
    assert.deepEqual(idsOf(await older.answer), ["1", "2"]);
    await stayUnanswered(newer);
  },
);

onBothFronts(
  "B-062 several payloads in one request, to several receivers, all arrive, and the result comes back",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const disco = "<iq type='get' id='q' to='example.test'>" +
      "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    const waiting = client.send(
      "",
      "<message id='1' to='a@example.test'/><message id='2' to='b@example.test'/>" +
        "<message id='1' to='a@example.test'/>" + disco,
    );
    const received = await upstream.expect("</iq>");
    assert.deepEqual(
      [...received.matchAll(/ id='(.)'/g)].map(([, id]) => id),
      ["1", "2", "1", "q"],
    );
    upstream.write("<iq type='result' id='q' from='example.test'/>");
    assert.deepEqual(idsOf(await waiting.answer), ["q"]);
  },
);

/** The same numbers for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}
