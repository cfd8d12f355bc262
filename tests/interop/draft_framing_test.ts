/**
 * A client from before RFC 7395, as it was published in 2013: Strophe.js 1.1.3, against a real
 * server. It is a script for pages, so it is given what it looks for there.
 */
import assert from "node:assert/strict";
import { DOMImplementation, DOMParser, XMLSerializer } from "@xmldom/xmldom";
import { authorityFile } from "../support/certificates/certificates.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager } from "../support/manager.ts";
import { Inbox, patiently, until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";

interface OldConnection {
  rawInput: (text: string) => void;
  rawOutput: (text: string) => void;
  connect(jid: string, password: string, callback: (status: number) => void): void;
  addHandler(handler: (stanza: Element) => boolean, namespace: null, name: string): void;
  send(stanza: unknown): void;
  disconnect(): void;
  readonly jid: string;
}

interface OldStrophe {
  readonly VERSION: string;
  readonly Status: Readonly<Record<"CONNECTED" | "AUTHFAIL" | "CONNFAIL" | "DISCONNECTED", number>>;
  readonly Connection: new (service: string) => OldConnection;
}

interface Element {
  readonly textContent: string;
}

type Build = (
  attributes: Record<string, string>,
) => { c(name: string): { t(text: string): unknown } };

onBothFronts({
  name:
    "W-002 W-017 W-024 W-026 Strophe.js 1.1.3 logs in, talks to itself and logs out in the older framing",
  ...haveProgram("prosody"),
  // The library looks around every 100 ms and stops only some time after the end.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { Strophe, $msg } = await loadStrophe();
    assert.equal(Strophe.VERSION, "1.1.3");
    await using server = await Prosody.start();
    await using running = await runManager({
      toml: `[domains."example.test"]\nconnect = "xmpp://127.0.0.1:${server.port}"\n` +
        `ca = "${authorityFile}"`,
    });
    const connection = new Strophe.Connection(
      `${running.url.replace("http:", "ws:")}/xmpp-websocket`,
    );
    const sent: string[] = [];
    const came: string[] = [];
    connection.rawOutput = (text) => void sent.push(text);
    connection.rawInput = (text) => void came.push(text);
    const statuses = new Inbox<number>();
    connection.connect("romeo@example.test/old", ACCOUNTS.romeo!, (status) => statuses.put(status));
    const { CONNECTED, DISCONNECTED } = Strophe.Status;
    assert.equal(await settled(statuses, Strophe), CONNECTED);
    assert.match(sent[0]!, /^<stream:stream [^>]*[^/]>$/);

    const message = Promise.withResolvers<string>();
    connection.addHandler(
      (stanza) => {
        message.resolve(stanza.textContent);
        return false;
      },
      null,
      "message",
    );
    connection.send($msg({ to: connection.jid, id: "1" }).c("body").t("a < b & ü 😀"));
    assert.equal(await patiently(message.promise, "the message comes back"), "a < b & ü 😀");

    connection.disconnect();
    assert.equal(await settled(statuses, Strophe), DISCONNECTED);
    assert.equal(sent.at(-1), "</stream:stream>");
    assert.equal(came.filter((text) => text.startsWith("<stream:stream ")).length, 2);
    await until(() => running.manager.sessions === 0 || undefined, "the session is over");
    assert.match(await server.session("romeo@example.test/old"), /Received <\/stream:stream>/);
    const ending = running.events.find(({ type }) => type === "session-ended");
    assert.ok(ending?.type === "session-ended" && ending.condition === undefined);
  },
});

/** The next status that says how it stands, and not what is under way. */
async function settled(
  statuses: Inbox<number>,
  { Status: { CONNECTED, AUTHFAIL, CONNFAIL, DISCONNECTED } }: OldStrophe,
): Promise<number> {
  for (;;) {
    const status = await statuses.take();
    if ([CONNECTED, AUTHFAIL, CONNFAIL, DISCONNECTED].includes(status)) return status;
  }
}

async function loadStrophe(): Promise<{ Strophe: OldStrophe; $msg: Build }> {
  const page = {
    window: globalThis,
    document: new DOMImplementation().createDocument(null, "html", null),
    DOMParser,
    XMLSerializer,
  };
  Object.assign(globalThis, page);
  await import("strophe");
  return globalThis as unknown as { Strophe: OldStrophe; $msg: Build };
}
