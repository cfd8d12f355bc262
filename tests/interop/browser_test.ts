/** What only a browser does with a page that speaks through a connection manager. */
// Runs apart: a browser takes all processors that there are.
import assert from "node:assert/strict";
import { authorityFile, fileOf } from "../support/certificates/certificates.ts";
import { ACCOUNTS } from "../support/accounts.ts";
import type { XmppClient } from "../support/clients/client.ts";
import { PageBrowser, type Visitor } from "../support/clients/page_browser.ts";
import { strophe } from "../support/clients/strophe.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { readTurns, type Turn } from "../support/http_turns.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { Prosody } from "../support/prosody.ts";
import { RecordingRelay } from "../support/recording_relay.ts";
import { type Strophe, STROPHES, StropheTab } from "../support/strophe_tab.ts";

/** Seconds that a request is held, where a test waits for it. */
const WAIT = 3;

// One server and one browser for all the tests of this file.
let shared: Promise<{ readonly server: Prosody; readonly browser: PageBrowser }> | undefined;
Deno.test.afterAll(async () => {
  const { server, browser } = await shared ?? {};
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function start() {
  const [server, browser] = await Promise.all([Prosody.start(), PageBrowser.launch()]);
  return { server, browser };
}

/** A flag with which playwright starts a browser. */
const NO_FREEZING = "--disable-back-forward-cache";

/** A connection manager, what goes to it over the wire, and somebody who looks at pages. */
interface Stage {
  readonly manager: RunningManager;
  readonly relay: RecordingRelay;
  readonly visitor: Visitor;
  /** Of the relay. */
  readonly bosh: string;
  readonly webSocket: string;
}

const needs = {
  ...haveProgram("chromium", "prosody", "/usr/share/javascript/strophe/strophe.min.js"),
  // Playwright and Strophe leave what the tests do not see the end of.
  sanitizeOps: false,
  sanitizeResources: false,
};

/** `freezes`: in a browser that keeps pages as they are for whoever goes back to them. */
function staged(
  play: (stage: Stage) => Promise<void>,
  { freezes = false } = {},
): () => Promise<void> {
  return async () => {
    const { server, browser: usual } = await (shared ??= start());
    await using unusual = freezes ? await PageBrowser.launch([NO_FREEZING]) : undefined;
    const browser = unusual ?? usual;
    await using manager = await runManager({
      toml: `
        [bosh]
        max_wait = ${WAIT}
        ${domain(server)}
      `,
    });
    await using relay = new RecordingRelay(Number(new URL(manager.url).port));
    await using visitor = await browser.visitor();
    await play({
      manager,
      relay,
      visitor,
      bosh: `http://127.0.0.1:${relay.port}/http-bind`,
      webSocket: `ws://127.0.0.1:${relay.port}/xmpp-websocket`,
    });
    assert.deepEqual(visitor.mistakes, []);
    assert.deepEqual(visitor.elsewhere, []);
  };
}

/** Of the configuration. */
function domain({ port }: Prosody): string {
  return `
    [upstream]
    tls = "required"
    [domains."example.test"]
    connect = "xmpp://127.0.0.1:${port}"
    ca = "${authorityFile}"
  `;
}

for (const library of Object.keys(STROPHES) as Strophe[]) {
  onFront(
    "sockets",
    `B-015 B-059 a page with ${library} asks for leave once, and repeats nothing when it is idle (T-09)`,
    staged(async ({ visitor, relay, bosh }) => {
      const tab = await StropheTab.open(visitor, library, bosh);
      const jid = await tab.logIn("romeo", unique());
      await tab.send(jid, "one");
      await tab.receives("one");
      await new Promise((resolve) => setTimeout(resolve, (2 * WAIT + 0.5) * 1000));
      await tab.send(jid, "two");
      await tab.receives("one", "two");
      const asked = requests(relay);
      assert.equal(asked.filter(({ head }) => head.startsWith("OPTIONS ")).length, 1);
      const rids = posts(relay).map(({ body }) => Number(/ rid=["'](\d+)/.exec(body)![1]));
      assert.ok(rids.length > 6, String(rids));
      assert.deepEqual(rids, rids.map((_, i) => rids[0]! + i));
    }),
    needs,
  );

  onBothFronts(
    `B-016 a page with ${library} where no manager is gives up at once (T-10 T-45)`,
    staged(async ({ visitor, relay, bosh }) => {
      const tab = await StropheTab.open(visitor, library, `${bosh}/nothing-here`);
      await tab.connect("romeo", unique());
      await tab.says("DISCONNECTED");
      assert.equal(posts(relay).length, 1);
    }),
    needs,
  );

  onBothFronts(
    `B-041 B-042 a page with ${library} that has lost its sid is told so, and begins no storm (T-18)`,
    staged(async ({ visitor, relay, manager, bosh }) => {
      const tab = await StropheTab.open(visitor, library, bosh);
      const jid = await tab.logIn("romeo", unique());
      await tab.send(jid, "one");
      await tab.receives("one");
      await tab.page.evaluate("tab.connection._proto.sid = null");
      await tab.send(jid, "two");
      await tab.says("DISCONNECTED");
      const before = posts(relay).length;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      assert.ok(posts(relay).length <= before + 1);
      assert.equal(manager.events.filter(({ type }) => type === "session-created").length, 1);
    }),
    needs,
  );

  // Deno's front does not see that every page has left, and what it then answers is lost.
  onFront(
    "sockets",
    `B-068 B-097 a page with ${library} goes on with its session when it is loaded again, and has every message once`,
    staged(async ({ visitor, relay, manager, bosh }) => {
      const tab = await StropheTab.open(visitor, library, bosh);
      const jid = await tab.logIn("romeo", unique());
      const juliet = await logIn(manager);
      juliet.send(jid, { id: "1", body: "one" });
      await tab.receives("one");
      await tab.leave();
      juliet.send(jid, { id: "2", body: "two" });
      juliet.send(jid, { id: "3", body: "three" });
      await tab.comeBack();
      await tab.restore();
      await tab.says("ATTACHED");
      await tab.receives("two", "three");
      juliet.send(jid, { id: "4", body: "four" });
      await tab.send(juliet.jid, "still he");
      assert.equal((await juliet.receive()).body, "still he");
      await tab.receives("two", "three", "four");
      await juliet.logOut();
      const sids = posts(relay).flatMap(({ body }) => / sid=["']([^"']+)/.exec(body)?.[1] ?? []);
      assert.equal(new Set(sids).size, 1);
      assert.equal(manager.events.filter(({ type }) => type === "session-created").length, 2);
    }),
    needs,
  );

  onFront(
    "sockets",
    `B-078 B-095 a tab with ${library} that is closed leaves its session until it has been inactive, or ends it by a beacon`,
    staged(async ({ visitor, manager, bosh }) => {
      const silent = await StropheTab.open(visitor, library, bosh);
      await silent.logIn("romeo", unique());
      await silent.page.close();
      const polite = await StropheTab.open(visitor, library, bosh);
      await polite.logIn("romeo", unique());
      await polite.endWithPage();
      await polite.page.close({ runBeforeUnload: true });
      const ends = () => manager.events.filter((event) => event.type === "session-ended");
      await until(() => ends().length === 1 || undefined, "the polite one has ended");
      assert.equal(ends()[0]!.reason, "the client ended the session");
      assert.equal(manager.manager.sessions, 1);
      // When a browser tells that the held request is lost is its own affair.
      await until(() => {
        manager.jump(61_000);
        return ends().length === 2 || undefined;
      }, "the silent one has ended");
      assert.equal(ends()[1]!.reason, "no request from the client for 60 s");
    }),
    needs,
  );

  onBothFronts(
    `W-029 W-033 B-122 X-015 pages with ${library} are told when another tab takes their place, and when the manager ends (T-05 T-06 T-07)`,
    staged(async ({ visitor, manager, bosh, webSocket }) => {
      const staying: StropheTab[] = [];
      for (const service of [bosh, webSocket]) {
        const [resource, other] = [unique(), unique()];
        const first = await StropheTab.open(visitor, library, service);
        const second = await StropheTab.open(visitor, library, service);
        const third = await StropheTab.open(visitor, library, service);
        const jid = await first.logIn("romeo", resource);
        const jid2 = await second.logIn("romeo", other);
        await first.send(jid2, "from the first");
        await second.receives("from the first");
        await second.send(jid, "from the second");
        await first.receives("from the second");
        await third.logIn("romeo", resource);
        await isToldTheEnd(first, "conflict");
        await third.send(jid2, "from the third");
        await second.receives("from the first", "from the third");
        staying.push(second, third);
      }
      const shutdown = manager.manager.shutdown();
      await Promise.all(staying.map((tab) => isToldTheEnd(tab, "system-shutdown")));
      await shutdown;
    }),
    needs,
  );
}

onFront(
  "sockets",
  "B-068 a page that is frozen while its request is held goes on with the session when it thaws",
  staged(async ({ visitor, manager, bosh }) => {
    const tab = await StropheTab.open(visitor, "strophe.js 5", bosh);
    const jid = await tab.logIn("romeo", unique());
    const juliet = await logIn(manager);
    await tab.freeze();
    juliet.send(jid, { id: "1", body: "one" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await tab.thaw();
    await tab.receives("one");
    juliet.send(jid, { id: "2", body: "two" });
    await tab.send(juliet.jid, "still he");
    assert.equal((await juliet.receive()).body, "still he");
    await tab.receives("one", "two");
    await juliet.logOut();
    assert.equal(manager.events.filter(({ type }) => type === "session-created").length, 2);
  }, { freezes: true }),
  needs,
);

onFront(
  "sockets",
  "W-030 a page that is frozen loses its WebSocket when it thaws, and hears of it (T-39)",
  staged(async ({ visitor, manager, webSocket }) => {
    const tab = await StropheTab.open(visitor, "strophe.js 5", webSocket);
    await tab.logIn("romeo", unique());
    await tab.freeze();
    await tab.thaw();
    await tab.says("DISCONNECTED");
    await until(() => manager.manager.sessions === 0 || undefined, "the session has ended");
    const [end] = manager.events.filter((event) => event.type === "session-ended");
    assert.equal(end!.reason, "the client's connection was lost");
  }, { freezes: true }),
  needs,
);

onFront(
  "deno",
  "B-018 W-001 a page logs in by BOSH over HTTP/2 with TLS, and by WebSocket at the same listener",
  async () => {
    const { server, browser } = await (shared ??= start());
    await using manager = await runManager({
      toml: `
        [[listen]]
        tls = { cert = "${fileOf("example.test.pem")}", key = "${fileOf("example.test.key")}" }
        [http]
        headers = { Timing-Allow-Origin = "*" }
        ${domain(server)}
      `,
    });
    const port = Number(new URL(manager.url).port);
    await using visitor = await browser.visitor({ exampleTest: port });
    const tab = await StropheTab.open(visitor, "strophe.js 5", "https://example.test/http-bind");
    const jid = await tab.logIn("romeo", unique());
    await tab.send(jid, "one");
    await tab.receives("one");
    const protocols = await tab.page.evaluate<string[]>(
      `performance.getEntriesByType("resource").filter(({ name }) => name.includes("http-bind"))
        .map(({ nextHopProtocol }) => nextHopProtocol)`,
    );
    assert.ok(protocols.length > 3);
    assert.deepEqual([...new Set(protocols)], ["h2"]);
    const other = await StropheTab.open(
      visitor,
      "strophe.js 5",
      "wss://example.test/xmpp-websocket",
    );
    const jidThere = await other.logIn("juliet", unique());
    await tab.send(jidThere, "two");
    await other.receives("two");
    assert.deepEqual(visitor.mistakes, []);
  },
  needs,
);

/** Over BOSH it is one word for Strophe, over WebSocket another. */
async function isToldTheEnd(tab: StropheTab, condition: string): Promise<void> {
  await tab.says("DISCONNECTED");
  const statuses = await tab.statuses();
  const told = [`CONNFAIL ${condition}`, `ERROR ${condition}`];
  assert.ok(statuses.some((status) => told.includes(status)), String(statuses));
}

/** All that browsers asked for, in the order in which it had come. */
function requests(relay: RecordingRelay): Turn[] {
  return relay.passages.flatMap(readTurns).filter(({ from }) => from === "client").sort((a, b) =>
    a.at - b.at
  );
}

function posts(relay: RecordingRelay): Turn[] {
  return requests(relay).filter(({ head }) => head.startsWith("POST "));
}

async function logIn(manager: RunningManager): Promise<XmppClient> {
  const credentials = { user: "juliet", password: ACCOUNTS.juliet!, resource: unique() };
  return await strophe[1]!.logIn(manager.url, credentials);
}

function unique(): string {
  return crypto.randomUUID().slice(0, 8);
}
