/**
 * SASL2 (XEP-0388) with Bind 2 (XEP-0386) and FAST (XEP-0484) at Prosody, by the modules of the
 * package prosody-modules. Its mod_sasl2_sm wants a mod_smacks that Prosody 0.12 does not have, so
 * stream management is not asked for inline.
 */
import { client as xmppClient, xml } from "@xmpp/client";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { ACCOUNTS } from "../support/accounts.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { patiently } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { Prosody, prosodyModule } from "../support/prosody.ts";
import { saslData, scramAnswer } from "../support/raw_client.ts";
import { openRaw, type RawSession, scram, transports } from "../support/xmpp_clients_raw.ts";
import { recordUse } from "../support/xmpp_server.ts";

const MODULES = ["sasl2", "sasl2_bind2", "sasl2_fast"];
const PASSWORD = ACCOUNTS.romeo!;

// One server for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => await (await prosody)?.[Symbol.asyncDispose]());

for (const transport of transports) {
  interop(
    `X-005 X-021 U-028 over ${transport}, one step of SASL2 logs in, binds and brings a token, ` +
      `with which a new session logs in`,
    async (server) => {
      await using running = await manage(server);
      const userAgent =
        `<user-agent id='${crypto.randomUUID()}'><software>raw</software></user-agent>`;

      const first = await openRaw(transport, running.url);
      assert.match(first.opening, /<authentication xmlns=["']urn:xmpp:sasl:2["']/);
      const success = await scram2(
        first,
        PASSWORD,
        `${userAgent}<bind xmlns='urn:xmpp:bind:0'><tag>first</tag></bind>` +
          "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>",
      );
      const jid = boundBy(success, "first");
      await answers(first, jid);
      await first.close();
      await server.cleanEnd(jid);
      assert.equal(await server.mechanism(jid), "SCRAM-SHA-1");
      await hasNotRestarted(server, jid);

      const token = /<token [^>]*token=["']([^"']+)["']/.exec(success)![1]!;
      const second = await openRaw(transport, running.url);
      const hmac = (text: string): Buffer => createHmac("sha256", token).update(text).digest();
      const known = await second.ask(
        `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>${
          Buffer.concat([Buffer.from("romeo\0"), hmac("Initiator")]).toString("base64")
        }</initial-response>${userAgent}<bind xmlns='urn:xmpp:bind:0'><tag>second</tag></bind>` +
          "<fast xmlns='urn:xmpp:fast:0'/></authenticate>",
        LOGGED_IN,
      );
      assert.equal(additionalData(known), hmac("Responder").toString("base64"));
      const again = boundBy(known, "second");
      await answers(second, again);
      await second.close();
      await server.cleanEnd(again);
      assert.equal(await server.mechanism(again), "HT-SHA-256-NONE");
      await hasNotRestarted(server, again);
      await recordUse("Prosody", "SASL2 with Bind 2 and FAST (by prosody-modules)");
    },
  );

  interop(
    `B-126 X-005 X-021 over ${transport}, after a wrong password by SASL2 the session lives`,
    async (server) => {
      await using running = await manage(server);
      const session = await openRaw(transport, running.url);
      const failure = await scram2(session, "wrong", "<bind xmlns='urn:xmpp:bind:0'/>");
      assert.match(failure, /^(?:<body [^>]*>)?<failure xmlns=["']urn:xmpp:sasl:2["']/);
      assert.match(failure, /<not-authorized /);
      assert.equal(running.manager.sessions, 1);
      // Its mod_sasl2 takes one attempt, and then its mod_saslauth more.
      assert.match(await scram(session, "romeo", PASSWORD), /<success /);
      assert.match(await session.restart(), /<bind xmlns=["']urn:ietf:params:xml:ns:xmpp-bind["']/);
      session.drop();
    },
  );
}

interop(
  "X-005 X-021 U-028 @xmpp/client over WebSocket logs in by SASL2, and with its token without the password",
  async (server) => {
    await using running = await manage(server);
    const userAgent = xml("user-agent", { id: crypto.randomUUID() });
    let token: unknown;
    const common = {
      service: `${running.url.replace(/^http/, "ws")}/xmpp-websocket`,
      domain: "example.test",
      username: "romeo",
      userAgent,
    };

    const first: XmppJsClient = xmppClient({ ...common, password: PASSWORD, resource: "first" });
    first.fast.saveToken = (given) => Promise.resolve(void (token = given));
    const jid = await visit(first, "first");
    await server.cleanEnd(jid);
    assert.equal(await server.mechanism(jid), "SCRAM-SHA-1");
    await hasNotRestarted(server, jid);

    const second: XmppJsClient = xmppClient({ ...common, resource: "second" });
    second.fast.fetchToken = () => Promise.resolve(token);
    const again = await visit(second, "second");
    await server.cleanEnd(again);
    assert.equal(await server.mechanism(again), "HT-SHA-256-NONE");
    await hasNotRestarted(server, again);
  },
);

/** A test with the server; reported as ignored where there is none. */
function interop(name: string, run: (server: Prosody) => Promise<void>): void {
  onBothFronts({
    name,
    ...haveProgram("prosody", ...MODULES.map(prosodyModule)),
    // The library leaves timers behind; see xmpp_clients.ts.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () =>
      await run(
        await (prosody ??= Prosody.start({ certificate: "example.test", modules: MODULES })),
      ),
  });
}

function manage(server: Prosody): Promise<RunningManager> {
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

/** Up to the features that follow without a restart. */
const LOGGED_IN = /<success .*<\/stream:features>|<\/failure>/s;

/** One try to authenticate as romeo with SCRAM-SHA-1; returns what comes of it. */
async function scram2(session: RawSession, password: string, inline: string): Promise<string> {
  const first = `n=romeo,r=${crypto.randomUUID()}`;
  const challenge = await session.ask(
    "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1'><initial-response>" +
      `${btoa(`n,,${first}`)}</initial-response>${inline}</authenticate>`,
    /<\/challenge>/,
  );
  const { clientFinal, serverFinal } = scramAnswer(password, first, saslData(challenge));
  const response = `<response xmlns='urn:xmpp:sasl:2'>${btoa(clientFinal)}</response>`;
  const outcome = await session.ask(response, LOGGED_IN);
  if (outcome.includes("<success")) assert.equal(additionalData(outcome), btoa(serverFinal));
  return outcome;
}

function additionalData(success: string): string | undefined {
  return /<additional-data>([^<]*)<\/additional-data>/.exec(success)?.[1];
}

/** The full JID that came with success (XEP-0386). */
function boundBy(success: string, tag: string): string {
  assert.match(success, /<bound xmlns=["']urn:xmpp:bind:0["']/);
  const [, jid] = /<authorization-identifier>([^<]+)<\/authorization-identifier>/.exec(success)!;
  assert.match(jid!, new RegExp(`^romeo@example\\.test/${tag}~.`));
  return jid!;
}

/** There is a resource, by which others reach it. */
async function answers(session: RawSession, jid: string): Promise<void> {
  const message = `<message xmlns='jabber:client' to='${jid}'><body>to myself</body></message>`;
  assert.match(await session.ask(message, /<\/message>/), /to myself/);
}

/** The server saw two headers: one in the clear, one after STARTTLS. */
async function hasNotRestarted(server: Prosody, jid: string): Promise<void> {
  const log = await server.session(jid);
  assert.equal([...log.matchAll(/Client sent opening <stream:stream>/g)].length, 2);
}

/** Logs in, writes to itself, and logs out; returns the full JID. */
async function visit(client: XmppJsClient, tag: string): Promise<string> {
  client.reconnect.stop();
  const message = Promise.withResolvers<string>();
  const counting = Promise.withResolvers<void>();
  client.on("error", message.reject);
  client.on("nonza", (element) => element.is("enabled", "urn:xmpp:sm:3") && counting.resolve());
  client.on("stanza", (stanza) => {
    if (stanza.is("message")) message.resolve(stanza.getChildText("body") ?? "");
  });
  const jid = String(await patiently(client.start(), "the client is online"));
  assert.match(jid, new RegExp(`^romeo@example\\.test/${tag}~.`));
  // See xmpp_clients.ts: of a stanza that comes together with the answer it would lose count.
  await patiently(counting.promise, "stream management is on");
  await client.send(xml("message", { to: jid }, xml("body", {}, "to myself")));
  assert.equal(await patiently(message.promise, "the message has come"), "to myself");
  await patiently(client.stop(), "the client has stopped");
  return jid;
}

/** What is used of a library that comes without types. */
interface XmppJsClient {
  readonly reconnect: { stop(): void };
  readonly fast: {
    saveToken(token: unknown): Promise<void>;
    fetchToken(): Promise<unknown>;
  };
  on(event: "stanza" | "nonza", listener: (element: XmppJsElement) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  start(): Promise<{ toString(): string }>;
  stop(): Promise<unknown>;
  send(element: unknown): Promise<void>;
}

interface XmppJsElement {
  is(name: string, namespace?: string): boolean;
  getChildText(name: string): string | null;
}
