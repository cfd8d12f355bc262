/** What the matrix does not show of stanza over BOSH: how it asks, and how it comes through a bad network. */
import assert from "node:assert/strict";
import { ACCOUNTS } from "../support/accounts.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import type { ClientKind, XmppClient } from "../support/clients/client.ts";
import { logInLikeJsjac } from "../support/clients/jsjac_like.ts";
import { stanza } from "../support/clients/stanza.ts";
import { FaultyRelay } from "../support/faulty_relay.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { haveProgram } from "../support/programs.ts";
import { Prosody } from "../support/prosody.ts";

// One server for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => await (await prosody)?.[Symbol.asyncDispose]());

for (const kind of stanza.filter(({ transport }) => transport === "bosh")) {
  beyond(
    `B-053 B-059 X-002 T-02 T-04 ${kind.name} sends nothing empty before it has authenticated, and need not`,
    kind,
    async (romeo) => {
      await romeo.logOut();
      const { traffic } = romeo;
      const [creation, created] = traffic;
      assert.match(creation!, new RegExp(` hold="${kind.name.at(-1)}"`));
      assert.match(created!, / sid='[^']+'.*<stream:features .*<mechanism>/);
      const success = traffic.findIndex((text) => text.includes("<success "));
      const requests = traffic.slice(2, success).filter((text) => text.includes(" rid="));
      assert.equal(requests.length, 2);
      for (const request of requests) assert.match(request, /<(auth|response) /);
      // Without its namespace the answer would be none to it, and it would wait for ever.
      const bound = traffic.find((text) => text.includes("<jid>"))!;
      assert.match(bound, /<iq [^>]*xmlns='jabber:client'/);
    },
  );

  // With two requests held it has none left to say anything by, until one is answered.
  if (kind.name.endsWith("2")) continue;

  beyond(
    `B-061 B-069 T-08 ${kind.name}, which puts nothing in order, gets everything in order`,
    kind,
    async (romeo, juliet) => {
      const numbers = Array.from({ length: 100 }, (_, i) => String(i));
      for (const id of numbers) {
        juliet.send(romeo.jid, { id, body: id });
        if (Number(id) % 3 === 0) romeo.send(juliet.jid, { id, body: id });
        // Both are at it for a while.
        if (Number(id) % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const read = new Set<string>();
      for (const _ of numbers) read.add((await romeo.receive()).body);
      assert.deepEqual([...read].sort(), numbers.toSorted());
      // Two answers may be read in either order, when both are there: they come by two connections.
      const answers = romeo.traffic.map(fromJuliet).filter((answer) => answer.length > 0);
      assert.equal(answers.flat().length, numbers.length);
      for (const [i, answer] of answers.entries()) {
        assert.deepEqual(answer, answer.toSorted((a, b) => a - b));
        assert.ok(answer.at(-1)! < (answers[i + 2]?.[0] ?? Infinity), JSON.stringify(answers));
      }
      for (const id of numbers.filter((id) => Number(id) % 3 === 0)) {
        assert.equal((await juliet.receive()).body, id);
      }
      await romeo.logOut();
    },
  );

  beyond(
    `B-097 B-099 T-10 ${kind.name} repeats what the network has cut, and nothing is lost or doubled`,
    kind,
    async (romeo, juliet, network) => {
      const write = (from: XmppClient, to: XmppClient, body: string) =>
        from.send(to.jid, { id: body, body });
      for (let round = 0; round < 3; round++) {
        const bodies = ["before", "while", "after"].map((when) => `${round} ${when}`);
        const [first, second, third] = bodies as [string, string, string];
        write(juliet, romeo, first);
        write(romeo, juliet, first);
        // What is under way now does not arrive, or its answer does not.
        network.fault = "stall";
        write(juliet, romeo, second);
        write(romeo, juliet, second);
        await new Promise((resolve) => setTimeout(resolve, 50));
        network.fault = "reset";
        network.fault = undefined;
        write(juliet, romeo, third);
        write(romeo, juliet, third);
        // It reads what it has asked for again in whatever order that comes.
        const read: string[] = [];
        for (const body of bodies) {
          read.push((await romeo.receive()).body);
          assert.equal((await juliet.receive()).body, body);
        }
        assert.deepEqual(new Set(read), new Set(bodies));
      }
      await romeo.logOut();
    },
  );
}

/** The numbers of the messages of juliet's in one answer. */
function fromJuliet(text: string): number[] {
  return [...text.matchAll(/<message [^>]*from='juliet@[^>]*>.*?<body>(\d+)<\/body>/g)]
    .map(([, number]) => Number(number));
}

/** A test of romeo with this client beyond a network, and juliet with a quick one of ours. */
function beyond(
  name: string,
  kind: ClientKind,
  run: (romeo: XmppClient, juliet: XmppClient, network: FaultyRelay) => Promise<void>,
): void {
  const fn = async () => {
    const server = await (prosody ??= Prosody.start());
    await using manager = await manage(server);
    await using network = await FaultyRelay.to(Number(new URL(manager.url).port));
    const juliet = await logInLikeJsjac(manager.url, credentialsOf("juliet"));
    const romeo = await kind.logIn(`http://127.0.0.1:${network.port}`, credentialsOf("romeo"));
    try {
      await run(romeo, juliet, network);
      await juliet.logOut();
    } finally {
      romeo.abandon?.();
      juliet.abandon?.();
    }
    const ends = manager.events.filter((event) => event.type === "session-ended");
    assert.deepEqual(ends.map(({ reason }) => reason), Array(2).fill(ENDED));
  };
  // The library leaves timers behind.
  const careless = { sanitizeOps: false, sanitizeResources: false };
  onBothFronts({ name, ...haveProgram("prosody"), ...careless, fn });
}

const ENDED = "the client ended the session";

function manage(server: Prosody): Promise<RunningManager> {
  return runManager({
    toml: `
      [bosh]
      max_wait = 3
      [upstream]
      ca = "${authorityFile}"
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server.port}"
    `,
  });
}

function credentialsOf(user: "romeo" | "juliet") {
  return { user, password: ACCOUNTS[user]!, resource: crypto.randomUUID().slice(0, 8) };
}
