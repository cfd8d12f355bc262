import assert from "node:assert/strict";
import { gloox } from "../support/clients/gloox.ts";
import { currentFront, onBothFronts, onFront } from "../support/fronts.ts";
import { pipelined, type Turn } from "../support/http_turns.ts";
import { haveProgram } from "../support/programs.ts";
import { Prosody } from "../support/prosody.ts";
import { loggedOut, type Talk, talk, type TalkOptions } from "../support/recorded_talk.ts";

/** Milliseconds in which a held request is answered when another comes; it would wait for 30 s. */
const AT_ONCE = 5_000;

// One server and one program for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => {
  await (await prosody)?.[Symbol.asyncDispose]();
  await Promise.all(gloox.map((kind) => kind.close?.()));
});

for (const kind of gloox) {
  const { mode } = kind;
  onBothFronts(
    `B-011 B-014 B-040 B-052 B-095 T-01 T-13 gloox logs in, reads what it wrote and logs out in its mode "${mode}"`,
    () =>
      observe({ kind }, async (talked) => {
        await loggedOut(talked);
        // What Deno.serve answers says that it closes, and then gloox goes on as a legacy client.
        assertConnections[currentFront() === "deno" ? "legacy" : mode](talked.connections);
      }),
    haveProgram("prosody", ...kind.programs ?? []),
  );
}

const pipelining = gloox.find(({ mode }) => mode === "pipelining")!;

// Whether the end reaches the manager is chance: its client is gone at once, and so nginx drops it.
onFront(
  "deno",
  "B-011 behind nginx, which reads no request behind a held one, its printed configuration has gloox take a connection for each",
  () =>
    observe({ kind: pipelining, nginx: true }, ({ connections }) => {
      assertConnections.legacy(connections);
      return Promise.resolve();
    }),
  haveProgram("prosody", "nginx", ...pipelining.programs ?? []),
);

async function observe(
  options: Omit<TalkOptions, "server">,
  check: (talked: Talk) => Promise<void>,
): Promise<void> {
  const server = await (prosody ??= Prosody.start());
  await talk({ server, ...options }, async (talked) => {
    const turns = talked.connections.flat();
    assertPeculiar(turns.filter(({ from }) => from === "client"));
    // It would begin a new stream with every answer that has one.
    const named = turns.filter(({ from, body }) => from === "server" && / sid=/.test(body));
    assert.equal(named.length, 1);
    await check(talked);
  });
}

/** What the tests are named for: where gloox has changed, they are about something else. */
function assertPeculiar(requests: readonly Turn[]): void {
  for (const { head } of requests) {
    assert.match(head, /^POST \/http-bind\/ HTTP/);
    assert.match(head, /^User-Agent: gloox\//m);
  }
  const [creation] = requests;
  for (const attribute of ["ack='0'", "secure='false'", "route='xmpp:example.test:5222'"]) {
    assert.ok(creation?.body.includes(attribute), creation?.body);
  }
  assert.ok(requests.some(({ body }) => body.includes("type='terminal'")));
}

type Connections = readonly (readonly Turn[])[];

const assertConnections = {
  /** One for everything, and requests come while another is held. */
  pipelining(connections: Connections): void {
    assertClosing(connections, false);
    assert.equal(connections.length, 1);
    const behind = pipelined(connections[0]!);
    // It asks for two things at once when it has logged in; how they come is up to the network.
    assert.ok(behind.some(({ request }) => request.body.includes("<message ")));
    const end = behind.pop()!;
    for (const { waited } of behind) {
      assert.ok(waited! < AT_ONCE, `the held request was answered after ${waited} ms`);
    }
    // Whose answer it does not wait for.
    assert.match(end.request.body, / type='terminal'/);
  },
  /** Two for everything, by turns. */
  persistent(connections: Connections): void {
    assertClosing(connections, false);
    assert.equal(connections.length, 2);
    for (const turns of connections) assert.deepEqual(pipelined(turns), []);
  },
  /** One for each request. */
  legacy(connections: Connections): void {
    assertClosing(connections, true);
    for (const turns of connections) {
      assert.ok(turns.filter(({ from }) => from === "client").length <= 1);
    }
  },
};

function assertClosing(connections: Connections, closing: boolean): void {
  for (const { from, head } of connections.flat()) {
    if (from === "server") assert.equal(/^connection: close\r$/im.test(head), closing, head);
  }
}
