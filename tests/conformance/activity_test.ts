import assert from "node:assert/strict";
import { stayUnanswered } from "../support/bosh_client.ts";
import { CREATION, farewell, idsOf, message, pass, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const POLLING = CREATION.replace("hold='1'", "hold='0'");

onBothFronts(
  "B-084 empty requests that replace each other quickly are borne, unless the operator is strict",
  async () => {
    await using lenient = await Stage.set();
    const first = await lenient.open();
    let newest = first.client.send();
    for (let i = 0; i < 5; i++) {
      const next = first.client.send();
      assert.equal((await newest.answer).type, undefined);
      newest = next;
    }
    await stayUnanswered(newest);

    await using strict = await Stage.set({ bosh: 'overactivity = "strict"\npolling = 1' });
    const hasty = await strict.open();
    const held = hasty.client.send();
    assert.equal((await hasty.client.ask()).condition, "policy-violation");
    assert.equal((await held.answer).type, "terminate");
    await hasty.upstream.expectEnd();
    const calm = await strict.open();
    const released = calm.client.send();
    await pass(1.1);
    const next = calm.client.send();
    assert.equal((await released.answer).type, undefined);
    await stayUnanswered(next);
  },
);

onBothFronts("B-085 B-101 more than requests new ones ahead of a gap are too many", async () => {
  await using stage = await Stage.set();
  const { client, upstream, creation } = await stage.open();
  const requests = Number(creation.get("requests"));
  const last = client.rid;
  const waiting = Array.from(
    { length: requests - 1 },
    (_, i) => client.send("", message(i), { rid: last + 2 + i }),
  );
  await stayUnanswered(...waiting);
  const { condition } = await client.ask("", "", { rid: last + requests + 1 });
  assert.match(condition ?? "", /^(policy-violation|item-not-found)$/);
  for (const { answer } of waiting) assert.equal((await answer).type, "terminate");
  assert.equal(await upstream.expectEnd(), "");
});

onBothFronts(
  "B-086 messages at any pace, repeats, and an end with all requests pending are never too much",
  async () => {
    await using stage = await Stage.set({ bosh: 'overactivity = "strict"\nmax_hold = 2' });
    const { client, upstream } = await stage.open(CREATION.replace("hold='1'", "hold='2'"));
    for (let i = 0; i < 20; i++) {
      client.send("", message(i));
      assert.equal(await upstream.expect("</message>"), message(i));
    }
    const held = client.send("", message("held"));
    await upstream.expect("</message>");
    for (let i = 0; i < 3; i++) client.send("", "", { rid: held.rid });
    client.send("", message("more"));
    await upstream.expect("</message>");
    const ending = client.send("type='terminate'");
    assert.equal((await ending.answer).condition, undefined);
    await farewell(upstream);
  },
);

onBothFronts("B-087 B-125 a request may be repeated, but not for ever", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open();
  const held = client.send("", message(1));
  await upstream.expect("</message>");
  let newest = held;
  for (let i = 0; i < 5; i++) {
    const again = client.send("", "", { rid: held.rid });
    assert.equal((await newest.answer).payloads.length, 0);
    newest = again;
  }
  upstream.write(message(2));
  assert.deepEqual(idsOf(await newest.answer), ["2"]);
  const endless = client.send("", message(3));
  await upstream.expect("</message>");
  const answers = Array.from({ length: 30 }, () => client.ask("", "", { rid: endless.rid }));
  const conditions = (await Promise.all(answers)).map(({ condition }) => condition);
  assert.ok(conditions.includes("policy-violation"), conditions.join());
  assert.equal(await upstream.expectEnd(), "");
});

onBothFronts("B-036 B-088 B-090 who polls is answered at once, with or without data", async () => {
  await using stage = await Stage.set({ bosh: "polling = 0" });
  for (const creation of [POLLING, CREATION.replace("wait='10'", "wait='0'")]) {
    const client = stage.client();
    // The features may come with the first answer or behind it.
    const creating = client.create(creation);
    const upstream = await stage.welcome();
    const features = (await creating).payloads;
    let answers = [...features];
    while (answers.length < 1) answers = [...answers, ...(await client.ask()).payloads];
    assert.deepEqual(answers.map(({ name }) => name), ["features"]);
    upstream.write(message(1));
    let polls = 0;
    for (let come: string[] = []; come.length === 0; polls++) come = idsOf(await client.ask());
    assert.deepEqual((await client.ask()).payloads, []);
  }
});

onBothFronts(
  "B-089 B-090 two empty polls in a hurry, the first in vain, are a policy-violation; others are not",
  async () => {
    await using stage = await Stage.set({ bosh: "polling = 1" });
    const hasty = await stage.open(POLLING);
    assert.equal((await hasty.client.ask()).type, undefined);
    assert.equal((await hasty.client.ask()).condition, "policy-violation");
    await hasty.upstream.expectEnd();

    const calm = await stage.open(POLLING);
    await calm.client.ask();
    await pass(1);
    assert.equal((await calm.client.ask()).type, undefined);

    const talking = await stage.open(POLLING);
    await talking.client.ask();
    assert.equal((await talking.client.ask("", message(1))).type, undefined);

    await using unlimited = await Stage.set({ bosh: "polling = 0" });
    const free = await unlimited.open(POLLING);
    for (let i = 0; i < 5; i++) assert.equal((await free.client.ask()).type, undefined);
  },
);
