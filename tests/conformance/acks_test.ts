import assert from "node:assert/strict";
import { stayUnanswered } from "../support/bosh_client.ts";
import { CREATION, idsOf, message, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const ACKING = `${CREATION} ack='1'`;

onBothFronts(
  "B-070 B-071 answers say which requests have come, where that is not their own",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream, creation } = await stage.open(ACKING);
    assert.equal(creation.get("ack"), String(client.rid));
    const held = client.send();
    const next = client.send("", message(1));
    assert.equal((await held.answer).get("ack"), String(next.rid));
    upstream.write(message(2));
    assert.equal((await next.answer).get("ack"), undefined, "alone, it acknowledges itself");
    const before = client.send();
    const behindGap = client.send("", "", { rid: client.rid + 2 });
    await stayUnanswered(behindGap);
    upstream.write(message(3));
    assert.equal(
      (await before.answer).get("ack"),
      undefined,
      "nothing behind a gap is acknowledged",
    );
  },
);

onBothFronts("B-070 where acks are off, no answer has one", async () => {
  await using stage = await Stage.set({ bosh: "acks = false" });
  const { client, creation } = await stage.open(ACKING);
  const held = client.send();
  client.send();
  assert.equal(creation.get("ack"), undefined);
  assert.equal((await held.answer).get("ack"), undefined);
});

onBothFronts(
  "B-072 B-097 what is not acknowledged is kept beyond the window, what is acknowledged forgotten",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream, creation } = await stage.open(ACKING);
    const created = creation.get("ack")!;
    const answers = [];
    for (let i = 0; i < 6; i++) {
      const waiting = client.send(`ack='${created}'`);
      upstream.write(message(i));
      answers.push(await waiting.answer);
    }
    const first = client.rid - 5;
    for (const i of [0, 3, 5]) {
      const again = await client.ask("", "", { rid: first + i });
      assert.equal(again.text, answers[i]!.text);
    }
    client.send(`ack='${first + 2}'`, message("acknowledging"));
    await upstream.expect("</message>");
    assert.equal((await client.ask("", "", { rid: first + 3 })).text, answers[3]!.text);
    assert.equal((await client.ask("", "", { rid: first + 2 })).condition, "item-not-found");
  },
);

onBothFronts(
  "B-073 an ack for what was never answered, or that is no number, frees nothing",
  async () => {
    await using stage = await Stage.set();
    for (const ack of ["999999999999", "x", "-1", ""]) {
      const { client, upstream } = await stage.open(ACKING);
      const waiting = client.send();
      upstream.write(message(1));
      const { text } = await waiting.answer;
      client.send(`ack='${ack}'`, message(2));
      await upstream.expect("</message>");
      assert.equal((await client.ask("", "", { rid: waiting.rid })).text, text, ack);
    }
  },
);

onBothFronts(
  "B-074 a stale ack is reported at once if that is on, and never otherwise",
  async () => {
    for (const report of [true, false]) {
      await using stage = await Stage.set({ bosh: `report = ${report}` });
      const { client, upstream, creation } = await stage.open(ACKING);
      const stale = creation.get("ack")!;
      const waiting = client.send(`ack='${stale}'`);
      upstream.write(message(1));
      assert.equal((await waiting.answer).get("report"), undefined);
      const reporting = client.send(`ack='${stale}'`);
      if (report) {
        const { get } = await reporting.answer;
        assert.equal(get("report"), String(Number(stale) + 1));
        assert.match(get("time")!, /^\d+$/);
      } else {
        await stayUnanswered(reporting);
        upstream.write(message(2));
        assert.equal((await reporting.answer).get("report"), undefined);
      }
    }
  },
);

onBothFronts(
  "B-072 an acking client that leaves ack out has everything before its request",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream, creation } = await stage.open(ACKING);
    for (let i = 0; i < 2; i++) {
      const waiting = client.send(`ack='${creation.get("ack")}'`);
      upstream.write(message(i));
      assert.deepEqual(idsOf(await waiting.answer), [String(i)]);
    }
    const first = client.rid - 1;
    client.send("", message("all is there"));
    await upstream.expect("</message>");
    // The newest ones may be kept all the same; those before the window are gone.
    assert.equal(
      (await client.ask("", "", { rid: first - 1 })).condition,
      "item-not-found",
    );
  },
);
