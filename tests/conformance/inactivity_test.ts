import assert from "node:assert/strict";
import { CREATION, idsOf, message, pass, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const IMPATIENT = "inactivity = 1\npolling = 0";

onBothFronts(
  "B-076 B-077 B-078 B-080 B-081 B-104 B-118 how long a session lives in silence",
  async (t) => {
    // All of them wait: they wait side by side.
    const cases: { readonly name: string; readonly fn: () => Promise<void> }[] = [
      {
        name: "B-076 silent after its last answer, it ends, and is not found any more",
        async fn() {
          await using stage = await Stage.set({ bosh: IMPATIENT });
          const { client, upstream } = await stage.open();
          const waiting = client.send();
          upstream.write(message(1));
          await waiting.answer;
          const start = performance.now();
          assert.equal(
            await upstream.expectEnd(),
            "",
            "no closing tag: the end is not the client's wish",
          );
          const lived = performance.now() - start;
          assert.ok(lived > 800 && lived < 3500, `${lived} ms`);
          assert.equal((await client.ask()).condition, "item-not-found");
        },
      },
      {
        name:
          "B-077 as in MongooseIM's suite: one long poll after the other is activity, whatever the inactivity",
        async fn() {
          await using stage = await Stage.set({ bosh: IMPATIENT });
          const { client, upstream } = await stage.open();
          let held = client.send();
          for (let i = 0; i < 5; i++) {
            await pass(0.5);
            const next = client.send("", message(i));
            await held.answer;
            held = next;
          }
          await pass(1.5);
          upstream.write(message("alive"));
          assert.deepEqual(idsOf(await held.answer), ["alive"]);
        },
      },
      {
        name:
          "B-078 as in MongooseIM's suite: a held request whose client is gone does not keep the session",
        async fn() {
          await using stage = await Stage.set({ bosh: IMPATIENT });
          const { client, upstream } = await stage.open(CREATION.replace("wait='10'", "wait='60'"));
          const held = client.send("", message(1));
          await upstream.expect("</message>");
          held.abort();
          await upstream.expectEnd();
        },
      },
      {
        name:
          "B-081 a pause longer than the inactivity is how long it lives, and counts until the next request",
        async fn() {
          await using stage = await Stage.set({ bosh: IMPATIENT });
          const { client, upstream } = await stage.open();
          await client.ask("pause='4'");
          await pass(2);
          const waiting = client.send();
          upstream.write(message("alive"));
          assert.deepEqual(idsOf(await waiting.answer), ["alive"]);
          const start = performance.now();
          await upstream.expectEnd();
          assert.ok(performance.now() - start < 3000, "the pause is over");
        },
      },
      {
        name: "B-081 a pause shorter than the inactivity ends the session sooner",
        async fn() {
          await using stage = await Stage.set({ bosh: "inactivity = 60" });
          const { client, upstream } = await stage.open();
          await client.ask("pause='1'");
          await upstream.expectEnd();
          assert.equal((await client.ask()).condition, "item-not-found");
        },
      },
      {
        name: "B-080 as in MongooseIM's suite: a pause just before the end is activity",
        async fn() {
          await using stage = await Stage.set({ bosh: IMPATIENT });
          const { client, upstream } = await stage.open();
          await pass(0.6);
          await client.ask("pause='3'");
          upstream.write(message("queued"));
          await pass(1.8);
          assert.deepEqual(idsOf(await client.ask()), ["queued"]);
        },
      },
      {
        name: "B-104 a repeated request is a sign of life",
        async fn() {
          await using stage = await Stage.set({ bosh: IMPATIENT });
          const { client, upstream } = await stage.open();
          const waiting = client.send();
          upstream.write(message(1));
          await waiting.answer;
          for (let i = 0; i < 4; i++) {
            await pass(0.6);
            assert.deepEqual(idsOf(await client.ask("", "", { rid: waiting.rid })), ["1"]);
          }
        },
      },
      {
        name: "B-118 a client without ver finds the end of its session as 404",
        async fn() {
          await using stage = await Stage.set({ bosh: IMPATIENT });
          const { client, upstream } = await stage.open("to='example.test' wait='2' hold='1'");
          await upstream.expectEnd();
          assert.equal((await client.ask()).http.status, 404);
        },
      },
      {
        name:
          "B-076 as in Punjab's suite: wait=2, inactivity=2 are honoured, and later the session is gone",
        async fn() {
          await using stage = await Stage.set({ bosh: "polling = 0" });
          const { client, upstream, creation } = await stage.open(
            "to='example.test' wait='2' hold='1' ver='1.6' inactivity='2'",
          );
          assert.equal(creation.get("wait"), "2");
          assert.equal(creation.get("inactivity"), "2");
          assert.equal((await client.ask()).payloads.length, 0);
          await upstream.expectEnd();
          assert.equal((await client.ask()).type, "terminate");
        },
      },
    ];
    const together = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
    const steps = cases.map((step) => t.step({ ...step, ...together }));
    for (const passed of await Promise.all(steps)) assert.ok(passed);
  },
);

onBothFronts(
  "B-080 B-103 as in MongooseIM's suite: a pause answers all that is held, in rid order, and data waits for the next request",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open(CREATION.replace("hold='1'", "hold='2'"));
    const held = [client.send(), client.send("", message(1))];
    await upstream.expect("</message>");
    const pausing = client.send("pause='10'");
    for (const { answer } of [...held, pausing]) {
      const { payloads, type } = await answer;
      assert.deepEqual([payloads.length, type], [0, undefined]);
    }
    upstream.write(message("queued"));
    const again = await client.ask("", "", { rid: pausing.rid });
    assert.equal(again.text, (await pausing.answer).text);
    assert.deepEqual(idsOf(await client.ask()), ["queued"]);
  },
);

onBothFronts(
  "B-082 a pause that is too long, not offered, or no number ends the session",
  async () => {
    for (
      const [pause, maxPause, condition] of [
        ["10000", 120, "policy-violation"],
        ["1", 0, "policy-violation"],
        ["0", 120, "bad-request"],
        ["-1", 120, "bad-request"],
        ["1.5", 120, "bad-request"],
        ["x", 120, "bad-request"],
      ] as const
    ) {
      await using stage = await Stage.set({ bosh: `max_pause = ${maxPause}` });
      const { client, upstream } = await stage.open();
      assert.equal((await client.ask(`pause='${pause}'`)).condition, condition, pause);
      await upstream.expectEnd();
    }
  },
);

onBothFronts(
  "B-083 B-086 what stands beside a pause is forwarded, and there is always room for one",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open(CREATION.replace("hold='1'", "hold='2'"));
    const held = [];
    for (let i = 0; i < 2; i++) {
      held.push(client.send("", message(i)));
      await upstream.expect("</message>");
    }
    // One more would be one too many, if it were not a pause.
    assert.equal((await client.ask("pause='10'", message("beside"))).type, undefined);
    assert.equal(await upstream.expect("</message>"), message("beside"));
    for (const { answer } of held) assert.equal((await answer).type, undefined);
  },
);
