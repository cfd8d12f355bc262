import assert from "node:assert/strict";
import { authorityFile } from "../support/certificates/certificates.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import type { ClientKind, XmppClient } from "../support/clients/client.ts";
import { clientKinds } from "../support/xmpp_clients.ts";
import { bind, openRaw, scram, transports } from "../support/xmpp_clients_raw.ts";
import { recordUse } from "../support/xmpp_server.ts";

/** What a careless gateway would lose, double or spoil. */
const HARD = {
  id: `a&b<c>"d"'e'😀`,
  body: "😀 𝒳 👩‍👩‍👧 & < > \" ' &amp; &#x1F600; ]]> <body/>\nsecond line\n\n\tindented  ",
};

// One server for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => await (await prosody)?.[Symbol.asyncDispose]());

for (const romeoKind of clientKinds) {
  for (const julietKind of clientKinds) {
    interop(
      `X-002 X-005 X-013 B-023 B-061 W-006 W-007 W-024 U-009 messages go both ways between ` +
        `${romeoKind.name} and ${julietKind.name}`,
      async (server) => {
        await using manager = await manage("xmpp", server.port);
        const [romeo, juliet] = await Promise.all([
          logIn(romeoKind, manager, "romeo"),
          logIn(julietKind, manager, "juliet"),
        ]);
        await exchange(romeo, juliet);
        await exchange(juliet, romeo);
        await logsOut(romeo, server);
        await logsOut(juliet, server);
        await endedWell(manager, ["starttls", "starttls"]);
      },
    );
  }
}

for (const kind of clientKinds) {
  interop(`U-008 ${kind.name} logs in through direct TLS`, async (server) => {
    await using manager = await manage("xmpps", server.directPort);
    const romeo = await logIn(kind, manager, "romeo");
    await exchange(romeo, romeo);
    const log = await logsOut(romeo, server);
    assert.doesNotMatch(log, /starttls/);
    await endedWell(manager, ["direct"]);
    await recordUse("Prosody", "direct TLS");
  });
}

for (const transport of transports) {
  interop(
    `B-126 X-005 X-013 W-024 over ${transport}, after a wrong password the session lives and the right one is accepted`,
    async (server) => {
      await using manager = await manage("xmpp", server.port);
      const session = await openRaw(transport, manager.url);
      assert.match(session.opening, /<mechanism>SCRAM-SHA-1<\/mechanism>/);
      const failure = await scram(session, "romeo", "wrong");
      assert.match(failure, /<failure [^>]*xmlns=["']urn:ietf:params:xml:ns:xmpp-sasl["']/);
      assert.match(failure, /<not-authorized\/>/);
      assert.equal(manager.manager.sessions, 1);
      assert.match(await scram(session, "romeo", ACCOUNTS.romeo!), /<success /);
      assert.match(await session.restart(), /<bind xmlns=["']urn:ietf:params:xml:ns:xmpp-bind["']/);
      const resource = uniqueResource();
      assert.match(await bind(session, resource), new RegExp(`/${resource}</jid>`));
      session.drop();
    },
  );
}

interop(
  "U-026 W-030 W-039 a session whose WebSocket went away without <close/> is resumed on a new one",
  async (server) => {
    await using manager = await manage("xmpp", server.port);
    const resource = uniqueResource();
    const lost = await openRaw("websocket", manager.url);
    await scram(lost, "romeo", ACCOUNTS.romeo!);
    await lost.restart();
    await bind(lost, resource);
    const enabled = await lost.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", /<enabled /);
    const previous = / id=["']([^"']+)["']/.exec(enabled)![1];
    lost.drop();

    const found = await openRaw("websocket", manager.url);
    await scram(found, "romeo", ACCOUNTS.romeo!);
    await found.restart();
    const resume = `<resume xmlns='urn:xmpp:sm:3' previd='${previous}' h='0'/>`;
    assert.match(await found.ask(resume, /<(resumed|failed) /), /<resumed /);
    // It is the old stream's resource.
    const message = `<message xmlns='jabber:client' to='romeo@example.test/${resource}'>` +
      "<body>still here</body></message>";
    assert.match(await found.ask(message, /<\/message>/), /still here/);
    found.drop();
    await recordUse("Prosody", "resumption of a lost stream (XEP-0198)");
  },
);

/** A test with the server; reported as ignored where there is none. */
function interop(name: string, run: (server: Prosody) => Promise<void>): void {
  onBothFronts({
    name,
    ...haveProgram("prosody"),
    // The libraries leave timers behind; see xmpp_clients.ts.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => await run(await (prosody ??= Prosody.start())),
  });
}

function manage(scheme: "xmpp" | "xmpps", port: number): Promise<RunningManager> {
  return runManager({
    toml: `
      [upstream]
      tls = "required"
      [domains."example.test"]
      connect = "${scheme}://127.0.0.1:${port}"
      ca = "${authorityFile}"
    `,
  });
}

function logIn(
  kind: ClientKind,
  manager: RunningManager,
  user: "romeo" | "juliet",
): Promise<XmppClient> {
  const password = ACCOUNTS[user]!;
  return kind.logIn(manager.url, { user, password, resource: uniqueResource() });
}

async function exchange(from: XmppClient, to: XmppClient): Promise<void> {
  from.send(to.jid, HARD);
  assert.deepEqual(await to.receive(), { from: from.jid, ...HARD });
}

/** Logs out, and sees to it that the server has said good-bye: no ghost stays. Returns its log. */
async function logsOut(client: XmppClient, server: Prosody): Promise<string> {
  await client.logOut();
  const log = await server.session(client.jid);
  assert.match(log, /Stream encrypted/);
  assert.match(log, /<auth [^>]*mechanism='SCRAM-SHA-1'/);
  assert.match(log, /Received <\/stream:stream>/);
  assert.match(log, /Unbinding resource/);
  assert.doesNotMatch(log, /hibernat/i);
  return log;
}

async function endedWell(
  { manager, events }: RunningManager,
  tls: readonly string[],
): Promise<void> {
  await until(() => manager.sessions === 0 || undefined, "every session has ended");
  const kinds = new Set(events.map((event) => event.type));
  assert.deepEqual(kinds, new Set(["session-created", "upstream-connected", "session-ended"]));
  assert.deepEqual(
    events.flatMap((event) => event.type === "upstream-connected" ? [event.tls] : []),
    tls,
  );
  const conditions = events.flatMap((event) =>
    event.type === "session-ended" ? [event.condition] : []
  );
  assert.deepEqual(conditions, tls.map(() => undefined));
}

function uniqueResource(): string {
  return crypto.randomUUID().slice(0, 8);
}
