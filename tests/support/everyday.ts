import assert from "node:assert/strict";
import type { ManagerEvent } from "../../src/events.ts";
import { authorityFile, fileOf } from "./certificates/certificates.ts";
import type { ClientKind, Presence, XmppClient } from "./clients/client.ts";
import type { Front } from "./fronts.ts";
import { runManager, type RunningManager } from "./manager.ts";
import { until } from "./patience.ts";
import { ACCOUNTS } from "./accounts.ts";
import type { XmppServer } from "./xmpp_server.ts";

/**
 * Seconds that a request is held, and between two pings. Some clients look for the features in the
 * answer that creates the session and nowhere else, so the server must have said them by then.
 */
const WAIT = 5;

/** What a careless gateway would lose, double or spoil. */
const HARD = "😀 𝒳 👩‍👩‍👧 & < > \" ' &amp; &#x1F600; ]]> <body/>\nsecond line\n\n\tindented  ";

const STATUS = "at the ball & in love <3 😀";

/** 100 KiB, in which each line is another. */
const LARGE = Array.from({ length: 2_048 }, (_, i) => `${i} 😀 `.padEnd(47, "x")).join("\n");

/** What the manager may tell of a session with which all is well. */
const GOOD_NEWS: readonly ManagerEvent["type"][] = [
  "session-created",
  "upstream-connected",
  "responses-acknowledged",
  "session-ended",
];

/**
 * What everybody does with XMPP: two people log in at two managers, one with each front, hear of
 * each other, write and ask, sit idle, write again, and log out, so that everybody knows.
 */
export async function everydayUse(kind: ClientKind, server: XmppServer): Promise<void> {
  await using deno = await manage(kind, server, "deno");
  await using sockets = await manage(kind, server, "sockets");
  const people: XmppClient[] = [];
  const logIn = async (manager: RunningManager, user: "romeo" | "juliet") => {
    const credentials = { user, password: ACCOUNTS[user]!, resource: uniqueResource() };
    const person = await kind.logIn(manager.url, credentials);
    people.push(person);
    assert.equal(person.jid, `${user}@example.test/${credentials.resource}`);
    const mechanism = await server.mechanism(person.jid);
    if (kind.mechanism === undefined) assert.match(mechanism, /^SCRAM-SHA-/);
    else assert.equal(mechanism, kind.mechanism);
    return person;
  };
  try {
    const romeo = await logIn(deno, "romeo");
    const juliet = await logIn(sockets, "juliet");
    await hears(romeo, { from: juliet.jid, available: true, status: "" });
    await hears(juliet, { from: romeo.jid, available: true, status: "" });
    juliet.show(STATUS);
    await hears(romeo, { from: juliet.jid, available: true, status: STATUS });

    await receives(romeo, romeo, HARD);
    await receives(romeo, juliet, HARD);
    await receives(juliet, romeo, LARGE);
    assert.equal(await romeo.ask(), "result");
    assert.equal(await juliet.ask(), "result");

    await new Promise((resolve) => setTimeout(resolve, (2 * WAIT + 0.5) * 1000));
    await receives(juliet, romeo, "still here?");
    await receives(romeo, juliet, "still here.");

    await juliet.logOut();
    await hears(romeo, { from: juliet.jid, available: false, status: "" });
    await server.cleanEnd(juliet.jid);
    await endedWell(sockets);
    await romeo.logOut();
    await server.cleanEnd(romeo.jid);
    await endedWell(deno);
  } catch (error) {
    for (const person of people) person.abandon?.();
    throw error;
  }
}

/** A connection manager before this server, as these clients need it. */
export async function manage(
  kind: ClientKind,
  server: XmppServer,
  front: Front,
): Promise<RunningManager> {
  const tls = `tls = { cert = "${fileOf("example.test.pem")}", key = "${
    fileOf("example.test.key")
  }" }`;
  return await runManager({
    // Deno's own has no TLS.
    front: kind.discovers ? "sockets" : front,
    toml: `
      [[listen]]
      ${kind.discovers ? tls : ""}
      [bosh]
      max_wait = ${WAIT}
      [websocket]
      ping_interval = ${WAIT}
      [upstream]
      tls = "required"
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server.port}"
      ca = "${authorityFile}"
      strip_channel_binding = ${kind.takesPlus ?? false}
    `,
  });
}

/**
 * What its server sends again of an earlier session's, whose last messages were not acknowledged
 * when it logged out (XEP-0198), is somebody else's, and let pass.
 */
async function receives(to: XmppClient, from: XmppClient, body: string): Promise<void> {
  from.send(to.jid, { id: crypto.randomUUID(), body });
  for (;;) {
    const { from: sender, body: text } = await to.receive();
    if (sender !== from.jid) continue;
    assert.equal(text, body);
    return;
  }
}

/** What else is told of earlier resources, or twice, is let pass. */
async function hears(person: XmppClient, wanted: Presence): Promise<void> {
  for (;;) {
    const { from, available, status } = await person.presence();
    if (from !== wanted.from || available !== wanted.available) continue;
    if (!available || status === wanted.status) return;
  }
}

async function endedWell({ manager, events }: RunningManager): Promise<void> {
  await until(() => manager.sessions === 0 || undefined, "the session has ended");
  const wrong = events.filter(({ type }) => !GOOD_NEWS.includes(type));
  assert.deepEqual(wrong, []);
  const [end] = events.filter((event) => event.type === "session-ended");
  assert.equal(end!.condition, undefined);
  assert.equal(end!.reason, "the client ended the session");
}

function uniqueResource(): string {
  return crypto.randomUUID().slice(0, 8);
}
