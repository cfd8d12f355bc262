import assert from "node:assert/strict";
import { stayUnanswered } from "../support/bosh_client.ts";
import { CREATION, farewell, idsOf, message, nextHeader, pass, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const UNAVAILABLE = "<presence type='unavailable'/>";

onBothFronts(
  "B-092 B-093 X-005 terminate forwards its payloads, then closes the stream; alone it gets the terminal body",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const { type, condition } = await client.ask("type='terminate'", UNAVAILABLE);
    assert.deepEqual([type, condition], ["terminate", undefined]);
    assert.equal(await farewell(upstream), `${UNAVAILABLE}</stream:stream>`);
    assert.equal((await client.ask()).condition, "item-not-found");
  },
);

onBothFronts(
  "B-048 B-093 as in MongooseIM's suite: the oldest open request gets the terminal body, the others an empty one",
  async () => {
    await using stage = await Stage.set();
    for (const hold of [1, 2]) {
      const { client, upstream } = await stage.open(CREATION.replace("hold='1'", `hold='${hold}'`));
      const open = Array.from({ length: hold }, () => client.send());
      open.push(client.send("type='terminate'"));
      const types = [];
      for (const { answer } of open) types.push((await answer).type);
      assert.deepEqual(types, ["terminate", ...Array(hold).fill(undefined)]);
      await farewell(upstream);
    }
  },
);

onBothFronts("B-094 an end behind a gap waits for the missing request", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open();
  const missing = client.rid + 1;
  const ending = client.send("type='terminate'", UNAVAILABLE, { rid: missing + 1 });
  await stayUnanswered(ending);
  const late = client.send("", message("first"), { rid: missing });
  assert.equal((await late.answer).type, "terminate");
  assert.equal((await ending.answer).type, undefined);
  assert.equal(await farewell(upstream), `${message("first")}${UNAVAILABLE}</stream:stream>`);
});

onBothFronts(
  "B-095 'terminal' is taken for 'terminate', and the end of a session that is being opened ends that",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    assert.equal((await client.ask("type='terminal'")).type, "terminate");
    await farewell(upstream);

    const early = stage.client();
    await early.create("to='example.test' wait='0' ver='1.6'");
    const halfOpen = await stage.server.accept();
    await nextHeader(halfOpen);
    assert.equal((await early.ask("type='terminate'")).type, "terminate");
    await halfOpen.expectEnd();
  },
);

onBothFronts(
  "B-095 X-020 what waits for the client when it ends the session goes back to its sender",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    await client.ask("pause='10'");
    upstream.write("<message id='queued' from='a@b'><body>x</body></message>");
    await pass(0.3);
    assert.deepEqual(idsOf(await client.ask("type='terminate'")), []);
    const last = await farewell(upstream);
    assert.match(last, /<message [^>]*type='error' id='queued' to='a@b'>.*<recipient-unavailable /);
  },
);

onBothFronts(
  "B-096 X-015 X-016 as in Punjab's suite: a stream error while nobody asks is kept, with what came before it",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const error = "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
      "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>Replaced</text>" +
      "<extra xmlns='urn:extra'/></stream:error>";
    upstream.write(`${message("last")}${error}</stream:stream>`);
    upstream.end();
    await upstream.expectEnd();
    const answers = [await client.ask()];
    if (answers[0]!.type === undefined) answers.push(await client.ask());
    const final = answers.at(-1)!;
    assert.deepEqual([final.type, final.condition], ["terminate", "remote-stream-error"]);
    assert.deepEqual(idsOf(answers[0]!)[0], "last");
    const told = final.payloads.at(-1)!;
    assert.deepEqual(
      told.children.map((child) => typeof child === "object" && child.name),
      ["conflict", "text", "extra"],
    );
  },
);

onBothFronts(
  "B-124 S-017 as in Punjab's suite: the server's error and the client's end at once make a clean end",
  async () => {
    await using stage = await Stage.set();
    for (let i = 0; i < 10; i++) {
      const { client, upstream } = await stage.open();
      const held = client.send("", message(1));
      await upstream.expect("</message>");
      upstream.write(
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
      );
      const ending = client.send("type='terminate'", UNAVAILABLE);
      const answers = await Promise.all([held.answer, ending.answer]);
      assert.ok(answers.some(({ type }) => type === "terminate"));
      await upstream.expectEnd();
    }
    assert.deepEqual(stage.running.events.filter(({ type }) => type === "fault"), []);
  },
);
