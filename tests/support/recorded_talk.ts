import assert from "node:assert/strict";
import { authorityFile } from "./certificates/certificates.ts";
import type { ClientKind } from "./clients/client.ts";
import { readTurns, type Turn } from "./http_turns.ts";
import { runManager, type RunningManager } from "./manager.ts";
import { nginx as nginxProgram } from "./nginx.ts";
import { until } from "./patience.ts";
import { ACCOUNTS, type Prosody } from "./prosody.ts";
import { RecordingRelay } from "./recording_relay.ts";
import { printed, ReverseProxy } from "./reverse_proxy.ts";

/** How a client talked over BOSH, after the fact. */
export interface Talk {
  readonly manager: RunningManager;
  /** What was said on each of its connections. */
  readonly connections: readonly (readonly Turn[])[];
  /** What the server logged of it, when it has heard the end. */
  serverLog(): Promise<string>;
}

export interface TalkOptions {
  readonly kind: ClientKind;
  readonly server: Prosody;
  /** Whether an nginx stands before the manager; default: none does. */
  readonly nginx?: boolean;
  /** Whether it writes to itself before it logs out; default: it does. */
  readonly writes?: boolean;
}

/**
 * Lets romeo log in at a manager with the front of the test, send himself a message and log out,
 * each when a request of his own is held; juliet must not be there. What it looked like from outside
 * is for `check`.
 */
export async function talk(
  { kind, server, nginx = false, writes = true }: TalkOptions,
  check: (talk: Talk) => Promise<void>,
): Promise<void> {
  await using manager = await runManager({
    toml: `
      [upstream]
      tls = "required"
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server.port}"
      ca = "${authorityFile}"
    `,
  });
  const { host } = new URL(manager.url);
  await using proxy = nginx
    ? await ReverseProxy.start(nginxProgram, printed("nginx", '[domains."example.test"]', host))
    : undefined;
  await using relay = new RecordingRelay(proxy?.ports.clear ?? Number(new URL(manager.url).port));
  const resource = crypto.randomUUID().slice(0, 8);
  const credentials = { user: "romeo", password: ACCOUNTS.romeo!, resource };
  const client = await kind.logIn(`http://127.0.0.1:${relay.port}`, credentials);
  try {
    await requestHeld(relay);
    if (writes) {
      const body = "art thou not Romeo & a <Montague>? 😀";
      client.send(client.jid, { id: "1", body });
      const received = await client.receive();
      assert.deepEqual([received.from, received.body], [client.jid, body]);
      await requestHeld(relay);
    }
    await client.logOut();
  } finally {
    client.abandon?.();
  }
  const farewell = ({ from, body }: Turn) => from === "client" && / type='termina/.test(body);
  await until(() => said(relay).flat().some(farewell) || undefined, "the client has said good-bye");
  await check({
    manager,
    connections: said(relay),
    serverLog: () => server.session(client.jid),
  });
}

function said(relay: RecordingRelay): Turn[][] {
  return relay.passages.map(readTurns);
}

/** What is answered, and the answers to it (RFC 6120 §8.2.3, XEP-0198 §4). */
const QUESTION = /<(iq [^>]*type=['"](get|set)['"]|r )/g;
const ANSWER = /<(iq [^>]*type=['"](result|error)['"]|a )/g;

/** Milliseconds after which Prosody has asked for the acknowledgement of what it sent before. */
const LATE = 750;

/**
 * Waits until nothing is on its way: the client has heard its own presence, which the server sends
 * it too (RFC 6121 §4.2.2), neither owes the other an answer, and one request is open, and has been
 * for a while.
 */
async function requestHeld(relay: RecordingRelay): Promise<void> {
  const isHeld = () => {
    const connections = said(relay);
    const by = (from: Turn["from"]) =>
      connections.flat().filter((turn) => turn.from === from).map(({ body }) => body).join();
    const [client, server] = [by("client"), by("server")];
    const heard = server.includes("<presence ") &&
      count(client, QUESTION) === count(server, ANSWER) &&
      count(server, QUESTION) === count(client, ANSWER);
    if (!heard) return undefined;
    const open = connections.flatMap((turns) => {
      const requests = turns.filter(({ from }) => from === "client");
      return requests.slice(turns.length - requests.length);
    });
    const [poll] = open;
    return open.length === 1 && performance.now() - poll!.at > LATE || undefined;
  };
  try {
    await until(isHeld, "a request is held");
  } catch (error) {
    const turns = said(relay).flat().toSorted((a, b) => a.at - b.at);
    const lines = turns.map(({ from, body }) => `${from}: ${body}`).join("\n");
    throw new Error(`${(error as Error).message}; what was said:\n${lines}`, { cause: error });
  }
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** Waits until the manager has ended the session, for this reason alone. */
export async function ended({ manager }: Talk, reason: string): Promise<void> {
  await until(() => manager.manager.sessions === 0 || undefined, "the session has ended");
  const ends = manager.events.filter((event) => event.type === "session-ended");
  assert.deepEqual(ends.map((end) => end.reason), [reason]);
}

/** Waits until manager and server have heard that the client has logged out. */
export async function loggedOut(talk: Talk): Promise<void> {
  await ended(talk, "the client ended the session");
  assert.match(await talk.serverLog(), /Received <\/stream:stream>/);
}
