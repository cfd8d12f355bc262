import assert from "node:assert/strict";
import { ACCOUNTS } from "../support/accounts.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import {
  bind,
  openRaw,
  type RawSession,
  scram,
  type Transport,
  transports,
} from "../support/xmpp_clients_raw.ts";
import { serverKinds, type XmppServer } from "../support/xmpp_server.ts";

/** 100 KiB of what takes four bytes each. */
const LARGE = "😀𝒳".repeat(100 * 1024 / 8);

for (const kind of serverKinds) {
  // One server for all the tests with it.
  let server: Promise<XmppServer> | undefined;
  Deno.test.afterAll(async () => await (await server)?.[Symbol.asyncDispose]());

  for (const transport of transports) {
    onBothFronts({
      name:
        `X-002 X-005 X-013 B-061 B-092 B-093 W-007 W-024 W-026 U-009 at ${kind.name} people log in over ${transport}, write, ask, see each other, and log out`,
      ...haveProgram(...kind.programs),
      // The client's own WebSocket closes in its own time.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => await conversation(await (server ??= kind.start()), transport),
    });

    if (!kind.tellsEnds) continue;
    onBothFronts({
      name:
        `U-026 W-030 over ${transport}, somebody who is lost has not logged out at ${kind.name}`,
      ...haveProgram(...kind.programs),
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => await loss(await (server ??= kind.start()), transport),
    });
  }
}

async function conversation(server: XmppServer, transport: Transport): Promise<void> {
  await using running = await manage(server);
  const [romeoJid, julietJid] = [jidOf("romeo"), jidOf("juliet")];
  const romeo = await logIn(transport, running.url, romeoJid);

  const message = `<message xmlns='jabber:client' to='${romeoJid}' id='large'><body>`;
  const large = await romeo.ask(`${message}${LARGE}</body></message>`, /<\/message>/);
  assert.equal(/<body>([^<]*)<\/body>/.exec(large)?.[1], LARGE);

  const iq = "<iq xmlns='jabber:client' type='get' to='example.test'";
  const ping = `${iq} id='ping'><ping xmlns='urn:xmpp:ping'/></iq>`;
  assert.match(await romeo.ask(ping, IQ), /<iq [^>]*type=["']result["']/);
  const disco = `${iq} id='disco'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`;
  assert.match(await romeo.ask(disco, IQ), /<identity [^>]*category=["']server["']/);

  // Not every server shows people their own presence.
  const [juliet] = await Promise.all([
    logIn(transport, running.url, julietJid).then(async (juliet) => {
      await juliet.ask(PRESENCE, presenceOf(romeoJid));
      return juliet;
    }),
    romeo.ask(PRESENCE, presenceOf(julietJid)),
  ]);

  await Promise.all([romeo.expect(presenceOf(julietJid, "unavailable")), juliet.close()]);
  await server.cleanEnd(julietJid);
  assert.equal(await server.mechanism(julietJid), "SCRAM-SHA-1");

  await romeo.close();
  await server.cleanEnd(romeoJid);
  assert.equal(await server.mechanism(romeoJid), "SCRAM-SHA-1");

  await until(() => running.manager.sessions === 0 || undefined, "every session has ended");
  const ends = running.events.flatMap((event) => event.type === "session-ended" ? [event] : []);
  assert.deepEqual(ends.map(({ condition }) => condition), [undefined, undefined]);
}

/** What the other test takes for a clean end is one: this is none. */
async function loss(server: XmppServer, transport: Transport): Promise<void> {
  await using running = await manage(server);
  const jid = jidOf("romeo");
  const session = await logIn(transport, running.url, jid);
  session.drop();
  const inactivity = / inactivity='(\d+)'/.exec(session.opening)?.[1];
  assert.equal(inactivity === undefined, transport === "websocket");
  if (inactivity !== undefined) running.jump(Number(inactivity) * 1000);
  await assert.rejects(server.cleanEnd(jid), assert.AssertionError);
}

function manage(server: XmppServer): Promise<RunningManager> {
  return runManager({
    toml: `
      [upstream]
      tls = "required"
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server.port}"
      ca = "${authorityFile}"
    `,
  });
}

/** The full JID of a resource that nobody else has. */
function jidOf(user: "romeo" | "juliet"): string {
  return `${user}@example.test/${crypto.randomUUID().slice(0, 8)}`;
}

async function logIn(transport: Transport, url: string, jid: string): Promise<RawSession> {
  const [user, , resource] = jid.split(/[@/]/) as [string, string, string];
  const session = await openRaw(transport, url);
  assert.match(await scram(session, user, ACCOUNTS[user]!), /<success /);
  await session.restart();
  assert.match(await bind(session, resource), new RegExp(`<jid>${RegExp.escape(jid)}</jid>`));
  return session;
}

const IQ = /<\/iq>|<iq [^>]*\/>/;
const PRESENCE = "<presence xmlns='jabber:client'/>";

/** What others are told of somebody; without a type they are told that one is there. */
function presenceOf(jid: string, type?: "unavailable"): RegExp {
  const typed = type === undefined ? "(?![^>]* type=)" : `(?=[^>]* type=["']${type}["'])`;
  return new RegExp(`<presence${typed} [^>]*\\bfrom=["']${RegExp.escape(jid)}["']`);
}
