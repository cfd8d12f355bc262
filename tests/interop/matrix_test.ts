/** Every client that people use, over each of its transports, at every server that they use. */
// Runs apart: a browser takes all processors that there are.
import assert from "node:assert/strict";
import type { ClientKind } from "../support/clients/client.ts";
import { everyClient } from "../support/clients/every.ts";
import { everydayUse, manage } from "../support/everyday.ts";
import { record } from "../support/interop_record.ts";
import { haveProgram } from "../support/programs.ts";
import { type ServerKind, serverKinds, type XmppServer } from "../support/xmpp_server.ts";

/**
 * Those of a lane go one library after the other: what one asks of the other people's resources is
 * not every other's to answer. The lanes go side by side, each with servers of its own.
 */
type Lane = "pages" | "programs" | "libraries";

function laneOf({ programs = [] }: ClientKind): Lane {
  return programs.includes("chromium") ? "pages" : programs.length > 0 ? "programs" : "libraries";
}

/** How many clients of a library at a time: most of the time they are idle, but pages. */
const AT_A_TIME: Readonly<Record<Lane, number>> = { pages: 4, programs: 12, libraries: 12 };

/** What a page does differently at the third is what its library does elsewhere. */
const SERVERS: Readonly<Record<Lane, readonly ServerKind[]>> = {
  pages: serverKinds.slice(0, 2),
  programs: serverKinds,
  libraries: serverKinds,
};

// Started when they are needed, and kept for all the tests of this file; so is what clients share.
const started = new Map<string, Promise<XmppServer>>();
Deno.test.afterAll(async () => {
  for (const kind of everyClient) await kind.close?.();
  for (const server of started.values()) await (await server)[Symbol.asyncDispose]();
});

function running(lane: Lane, kind: ServerKind): Promise<XmppServer> {
  const name = `${lane} ${kind.name}`;
  let server = started.get(name);
  if (server === undefined) started.set(name, server = kind.start());
  return server;
}

// The libraries leave timers behind (see xmpp_clients.ts), and steps run side by side.
const careless = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };

Deno.test({
  name: "X-002 X-005 X-013 B-023 B-061 W-006 W-024 U-009 every client does all that people do",
  ...careless,
  async fn(t) {
    const everyday = (kind: ClientKind, serverKind: ServerKind) =>
      t.step({
        name: `${kind.name}, at ${serverKind.name}`,
        ...haveProgram(...serverKind.programs, ...kind.programs ?? []),
        ...careless,
        async fn() {
          await everydayUse(kind, await running(laneOf(kind), serverKind));
          record({
            client: kind.name,
            clientVersion: await kind.version(),
            server: serverKind.name,
            serverVersion: await serverKind.version(),
          });
        },
      });
    const lanes = Map.groupBy(everyClient, laneOf);
    await Promise.all([...lanes].map(async ([lane, kinds]) => {
      const libraries = Map.groupBy(kinds, ({ name }) => name.split(/,| over /)[0]!);
      for (const ofLibrary of libraries.values()) {
        const cells = ofLibrary.flatMap((kind) =>
          SERVERS[lane].map((serverKind) => ({ kind, serverKind }))
        );
        await atMost(AT_A_TIME[lane], cells, (cell) => everyday(cell.kind, cell.serverKind));
      }
    }));
  },
});

const [server] = serverKinds;
Deno.test({
  name: "B-126 X-005 whoever has a wrong password is told so",
  ...haveProgram(...server!.programs),
  ...careless,
  async fn(t) {
    await atMost(4, everyClient, (kind) =>
      t.step({
        name: kind.name,
        ...haveProgram(...kind.programs ?? []),
        ...careless,
        async fn() {
          await using manager = await manage(kind, await running(laneOf(kind), server!), "sockets");
          const credentials = { user: "romeo", password: "wrong", resource: "none" };
          await assert.rejects(kind.logIn(manager.url, credentials), {
            name: "LoginError",
            condition: "not-authorized",
          });
        },
      }));
  },
});

/** Does it with all of them, so many at a time. */
async function atMost<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: count }, worker));
}
