import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  CREATION,
  farewell,
  gather,
  idsOf,
  message,
  nextHeader,
  Stage,
  type Talk,
} from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

/** A key sequence: the last key first, each the hash of the one behind it (XEP-0124 §15.3). */
function sequence(length: number, seed: string = crypto.randomUUID()): string[] {
  const keys = [sha1(seed)];
  while (keys.length < length) keys.unshift(sha1(keys[0]!));
  return keys;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** A session that begins with a key sequence of this length; the keys that are left. */
async function keyed(stage: Stage, length = 6): Promise<Talk & { readonly keys: string[] }> {
  const keys = sequence(length);
  const talk = await stage.open(`${CREATION} newkey='${keys.shift()}'`);
  return { ...talk, keys };
}

onBothFronts(
  "B-107 B-109 a keyed session works, over several sequences, as JSJaC makes them",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream, keys } = await keyed(stage, 4);
    for (let i = 0; i < 12; i++) {
      let attributes = `key='${keys.shift()}'`;
      if (keys.length === 0) {
        keys.push(...sequence(4));
        attributes += ` newkey='${keys.shift()}'`;
      }
      client.send(attributes, message(i));
      assert.equal(await upstream.expect("</message>"), message(i));
    }
  },
);

onBothFronts("B-107 keys are hashes of texts, in upper case too", async () => {
  await using stage = await Stage.set();
  const lower = sequence(5, "correct horse battery staple 42");
  assert.equal(lower[0], "c2feed74b47e7b9e279ca7568de519aaf1a8194e");
  // XEP-0124 §15.4: the text as it was received is hashed, and the result compared in either case.
  const upper = [
    "456F61CEB0D61C788121DAA5C69BE989DADE9EDC",
    "577E2ADC6036FB33271BEEB573347AAC113141EA",
    "691D3C1BECF5696F302ED854AA7727E0FCD36D64",
  ];
  for (const [newkey, ...keys] of [lower, upper]) {
    const { client, upstream } = await stage.open(`${CREATION} newkey='${newkey}'`);
    for (const key of keys) {
      client.send(`key='${key}'`, message(key));
      await upstream.expect("</message>");
    }
  }
});

onBothFronts(
  "B-108 B-111 as in Punjab's suite: a missing or wrong key ends the session, whatever is asked",
  async () => {
    await using stage = await Stage.set();
    for (
      const attributes of [
        "",
        `key='${"0".repeat(40)}'`,
        `key=''`,
        "pause='5'",
        "xmpp:restart='true'",
        "type='terminate'",
      ]
    ) {
      const { client, upstream } = await keyed(stage);
      const { type, condition } = await client.ask(attributes, message("never"));
      assert.deepEqual([type, condition], ["terminate", "item-not-found"], attributes);
      assert.equal(await upstream.expectEnd(), "", attributes);
    }
  },
);

onBothFronts("B-110 keys are checked in rid order, and repeats do not use one up", async () => {
  await using stage = await Stage.set();
  const { client, upstream, keys } = await keyed(stage);
  const first = client.rid + 1;
  const late = client.send(`key='${keys[1]}'`, message("b"), { rid: first + 1 });
  const early = client.send(`key='${keys[0]}'`, message("a"), { rid: first });
  assert.equal(
    await upstream.expect("</message>") + await upstream.expect("</message>"),
    message("a") + message("b"),
  );
  const { text } = await early.answer;
  assert.equal((await client.ask(`key='${keys[0]}'`, "", { rid: first })).text, text);
  const again = client.send(`key='${keys[1]}'`, "", { rid: first + 1 });
  await late.answer;
  client.send(`key='${keys[2]}'`, message("c"));
  assert.equal(await upstream.expect("</message>"), message("c"));
  await again.answer;
});

onBothFronts(
  "B-111 a stray key is ignored, a newkey begins a sequence at any time, and every kind of request is keyed",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    client.send("key='whatever'", message("stray"));
    await upstream.expect("</message>");
    const keys = sequence(8);
    client.send(`newkey='${keys.shift()}'`, message("begins"));
    await upstream.expect("</message>");
    const key = () => `key='${keys.shift()}'`;
    const restart = client.send(`${key()} xmpp:restart='true'`);
    await nextHeader(upstream);
    upstream.write(
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' " +
        "id='2' version='1.0'><stream:features/>",
    );
    const [features] = await gather(client, 1, [restart]);
    assert.equal(features?.payloads[0]?.name, "features");
    assert.equal((await client.ask(`${key()} pause='5'`)).type, undefined);
    const poll = client.send(key());
    upstream.write(message(1));
    assert.deepEqual(idsOf(await poll.answer), ["1"]);
    assert.equal((await client.ask(`${key()} type='terminate'`)).condition, undefined);
    await farewell(upstream);
  },
);
