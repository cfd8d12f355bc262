/** Converse as people use it: what is not on the screen is not looked for there. */
// Runs apart: a browser takes all processors that there are.
import assert from "node:assert/strict";
import { authorityFile, fileOf } from "../support/certificates/certificates.ts";
import { PageBrowser } from "../support/clients/page_browser.ts";
import { ConversePerson } from "../support/converse_person.ts";
import { FaultyRelay } from "../support/faulty_relay.ts";
import { currentFront, onBothFronts, onFront } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { Prosody } from "../support/prosody.ts";

/** Milliseconds for which the network is away. */
const CUT = 2_000;

/** How Converse is told, or finds out, where its connection manager is. */
interface Way {
  /** Of files. */
  readonly name: string;
  /** Converse's settings, for a manager on this port of the loopback. */
  settings(port: number): Readonly<Record<string, unknown>>;
  /**
   * What it keeps when the network was away, or the page: the session, by its `sid`, or the stream,
   * which it resumes in a session that is new.
   */
  readonly keeps: "session" | "stream";
  /** It looks for `https://example.test`. */
  readonly discovers?: boolean;
}

const BOSH: Way = {
  name: "bosh",
  settings: (port) => ({
    bosh_service_url: `http://127.0.0.1:${port}/http-bind`,
    discover_connection_methods: false,
  }),
  keeps: "session",
};

const WEBSOCKET: Way = {
  name: "websocket",
  settings: (port) => ({
    websocket_url: `ws://127.0.0.1:${port}/xmpp-websocket`,
    discover_connection_methods: false,
  }),
  keeps: "stream",
};

const HOST_META: Way = {
  name: "host-meta",
  // Finding out is what it does when it is told nothing.
  settings: () => ({}),
  keeps: "stream",
  discovers: true,
};

// One server and one browser for all the tests of this file.
let shared: Promise<{ readonly server: Prosody; readonly browser: PageBrowser }> | undefined;
Deno.test.afterAll(async () => {
  const { server, browser } = await shared ?? {};
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const needs = {
  ...haveProgram("chromium", "prosody"),
  sanitizeOps: false,
  sanitizeResources: false,
};

// Deno's front does not see that every page has left, and what it then answers is lost.
onFront(
  "sockets",
  "B-016 B-068 B-097 in Converse over BOSH a chat outlives a network that was away, a page " +
    "that was left and one that was loaded again (T-09 T-10)",
  () => chat(BOSH),
  needs,
);

onBothFronts({
  name: "U-026 W-030 W-039 in Converse over WebSocket a chat outlives a network that was away, a " +
    "page that was left and one that was loaded again (T-39)",
  ...needs,
  fn: () => chat(WEBSOCKET),
});

onFront(
  "sockets",
  "D-001 D-002 D-004 D-005 U-026 in Converse that found its way by host-meta a chat outlives a " +
    "network that was away, a page that was left and one that was loaded again (T-17)",
  () => chat(HOST_META),
  needs,
);

onFront(
  "sockets",
  "B-120 Converse over BOSH has people log in again when the XMPP server was lost, and they can (T-17)",
  () =>
    lostServer(BOSH, async (romeo, back) => {
      // It takes "remote-connection-failed" for the last word.
      await romeo.isLoggedOut();
      back();
      await romeo.logIn();
    }),
  needs,
);

onFront(
  "sockets",
  "W-031 Converse over WebSocket comes back by itself when the XMPP server was lost (T-17)",
  () =>
    lostServer(WEBSOCKET, async (_romeo, back) => {
      await new Promise((resolve) => setTimeout(resolve, CUT));
      back();
    }),
  needs,
);

/** Takes the server away, lets `then` bring it `back`, and waits until romeo has his stream again. */
async function lostServer(
  way: Way,
  then: (romeo: ConversePerson, back: () => void) => Promise<void>,
): Promise<void> {
  const { server, browser } = await (shared ??= start());
  await using network = await FaultyRelay.to(server.port);
  await using manager = await manage(way, network.port);
  const port = Number(new URL(manager.url).port);
  await using romeo = await ConversePerson.visit(browser, "romeo", way.settings(port));
  await romeo.logIn();
  network.fault = "reset";
  await until(() => manager.manager.sessions === 0 || undefined, "the session has ended");
  await then(romeo, () => network.fault = undefined);
  const streams = () => manager.events.filter(({ type }) => type === "upstream-connected").length;
  await until(() => streams() === 2 || undefined, "the stream is there again");
  await romeo.isLoggedIn();
}

async function chat(way: Way): Promise<void> {
  const { server, browser } = await (shared ??= start());
  const before = await resumptions(server);
  await using manager = await manage(way, server.port);
  const port = Number(new URL(manager.url).port);
  await using network = await FaultyRelay.to(port);
  const visit = (name: "romeo" | "juliet", port: number) =>
    ConversePerson.visit(browser, name, way.settings(port), way.discovers ? port : undefined);
  await using romeo = await visit("romeo", network.port);
  await using juliet = await visit("juliet", port);
  const picture = (what: string) => romeo.picture(`converse-${way.name}-${currentFront()}-${what}`);
  const said: string[] = [];
  const says = async (from: ConversePerson, to: ConversePerson, text: string) => {
    await from.write(text);
    said.push(text);
    await to.reads(text);
  };

  await picture("1-log-in");
  await Promise.all([romeo.logIn(), juliet.logIn()]);
  await Promise.all([romeo.openChat("juliet"), juliet.openChat("romeo")]);
  await says(romeo, juliet, "art thou there & <awake>? 😀");
  await says(juliet, romeo, "at what o'clock tomorrow?");
  await picture("2-chat");

  network.fault = "reset";
  await says(juliet, juliet, "written while the network was away");
  await new Promise((resolve) => setTimeout(resolve, CUT));
  network.fault = undefined;
  await romeo.reads("written while the network was away");
  await says(romeo, juliet, "the network is back");
  await picture("3-network-is-back");
  await romeo.leave();
  await says(juliet, juliet, "written while he was away");
  await romeo.comeBack();
  await romeo.isLoggedIn();
  await romeo.reads("written while he was away");
  await says(romeo, juliet, "he is back");
  await picture("4-he-is-back");

  await romeo.reload();
  await says(juliet, juliet, "written while the page was loaded");
  await romeo.isLoggedIn();
  await romeo.reads("written while the page was loaded");
  await says(romeo, juliet, "good night, good night!");
  await picture("5-loaded-again");

  // The server says when it took what it kept for him in whole seconds, and by that it is sorted.
  assert.deepEqual((await romeo.chat()).sort(), said.toSorted());
  assert.deepEqual(await juliet.chat(), said);
  await romeo.logOut();
  await juliet.logOut();
  await until(() => manager.manager.sessions === 0 || undefined, "every session has ended");
  endedWell(manager, LOST[way.keeps]);
  assert.equal(await resumptions(server) - before, LOST[way.keeps]);
  const asked = way.discovers ? [SPONSORS, "example.test"] : [SPONSORS];
  for (const { visitor } of [romeo, juliet]) {
    assert.deepEqual(visitor.mistakes, []);
    assert.deepEqual(visitor.elsewhere, asked);
  }
}

/** How many sessions are lost, for he was away three times. */
const LOST = { session: 0, stream: 3 } as const;

/** Whence its log-in page has pictures, in vain. */
const SPONSORS = "conversejs.org";

async function start() {
  const [server, browser] = await Promise.all([Prosody.start(), PageBrowser.launch()]);
  return { server, browser };
}

async function manage(way: Way, port: number): Promise<RunningManager> {
  const tls = `tls = { cert = "${fileOf("example.test.pem")}", key = "${
    fileOf("example.test.key")
  }" }`;
  return await runManager({
    toml: `
      [[listen]]
      ${way.discovers ? tls : ""}
      [upstream]
      tls = "required"
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${port}"
      ca = "${authorityFile}"
    `,
  });
}

/** The two that logged out have; a WebSocket was lost each time that he was away. */
function endedWell({ events }: RunningManager, lost: number): void {
  const ends = events.flatMap((event) => event.type === "session-ended" ? [event.reason] : []);
  assert.deepEqual(ends.sort(), [
    ...Array(2).fill("the client ended the session"),
    ...Array(lost).fill("the client's connection was lost"),
  ]);
  assert.equal(events.filter((event) => event.type === "session-created").length, 2 + lost);
  assert.equal(events.some((event) => event.type === "fault"), false);
}

/** How often the server has let a client go on with a stream that was lost (XEP-0198). */
async function resumptions(server: Prosody): Promise<number> {
  return [...(await server.log()).matchAll(/mod_smacks session resumed from/g)].length;
}
