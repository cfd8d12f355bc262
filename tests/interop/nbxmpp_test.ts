import assert from "node:assert/strict";
import type { ClientKind, XmppClient } from "../support/clients/client.ts";
import { nbxmpp } from "../support/clients/nbxmpp.ts";
import { manage } from "../support/everyday.ts";
import { FaultyRelay } from "../support/faulty_relay.ts";
import { currentFront, onBothFronts, onFront } from "../support/fronts.ts";
import type { RunningManager } from "../support/manager.ts";
import { patiently, until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";

// One server for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => await (await prosody)?.[Symbol.asyncDispose]());

for (const kind of nbxmpp) {
  interop(
    kind,
    `U-026 W-030 W-039 ${kind.name}: when its connection is lost it resumes its stream, and neither ` +
      "what it wrote nor what was written to it is lost or doubled",
    async ({ server, manager }) => {
      await using relay = await FaultyRelay.to(portOf(manager));
      await using people = new AsyncDisposableStack();
      const romeo = people.adopt(await logIn(kind, relay.port, "romeo"), abandon);
      const juliet = people.adopt(await logIn(kind, portOf(manager), "juliet"), abandon);
      await hears(romeo, juliet, "before");

      relay.fault = "stall";
      write(romeo, juliet, "lost on its way");
      await until(() => relay.swallowed > 100 || undefined, "it has been written");
      relay.fault = "reset";
      await until(() => manager.manager.sessions === 1 || undefined, "the session is lost");
      await server.session(romeo.jid);
      write(juliet, romeo, "while nobody was there");
      relay.fault = undefined;

      assert.equal((await romeo.receive()).body, "while nobody was there");
      assert.equal((await juliet.receive()).body, "lost on its way");
      await hears(romeo, juliet, "after");
      await hears(juliet, romeo, "after");
      assert.equal((await server.log()).split(`Resource bound: ${romeo.jid}\n`).length, 2);
      await Promise.all([romeo.logOut(), juliet.logOut()]);
    },
  );

  interop(
    kind,
    `W-028 W-029 ${kind.name}: it is told that its resource is another's now`,
    async ({ manager }) => {
      await using people = new AsyncDisposableStack();
      const resource = uniqueResource();
      const first = people.adopt(await logIn(kind, portOf(manager), "romeo", resource), abandon);
      const second = people.adopt(await logIn(kind, portOf(manager), "romeo", resource), abandon);
      assert.equal(await patiently(first.ended, "the first one's session ends"), "conflict");
      await second.logOut();
    },
  );
}

/** A test with the server; reported as ignored where there is none. */
function interop(kind: ClientKind, name: string, run: (stage: Stage) => Promise<void>): void {
  const fn = async () => {
    const server = await (prosody ??= Prosody.start());
    await using manager = await manage(kind, server, currentFront());
    await run({ server, manager });
  };
  const needs = haveProgram("prosody", ...kind.programs!);
  // The other front knows no TLS.
  if (kind.discovers) onFront("sockets", name, fn, needs);
  else onBothFronts(name, fn, needs);
}

interface Stage {
  readonly server: Prosody;
  readonly manager: RunningManager;
}

function logIn(
  kind: ClientKind,
  port: number,
  user: "romeo" | "juliet",
  resource = uniqueResource(),
): Promise<XmppClient> {
  const url = `${kind.discovers ? "https" : "http"}://127.0.0.1:${port}`;
  return kind.logIn(url, { user, password: ACCOUNTS[user]!, resource });
}

function portOf({ url }: RunningManager): number {
  return Number(new URL(url).port);
}

function abandon(client: XmppClient): void {
  client.abandon!();
}

function write(from: XmppClient, to: XmppClient, body: string): void {
  from.send(to.jid, { id: "", body });
}

async function hears(from: XmppClient, to: XmppClient, body: string): Promise<void> {
  write(from, to, body);
  const message = await to.receive();
  assert.deepEqual({ from: message.from, body: message.body }, { from: from.jid, body });
}

function uniqueResource(): string {
  return crypto.randomUUID().slice(0, 8);
}
