/** Every client that people use, over each of its transports, at every server that they use. */
import assert from "node:assert/strict";
import { everyClient } from "../support/clients/every.ts";
import { everydayUse, manage } from "../support/everyday.ts";
import { record } from "../support/interop_record.ts";
import { haveProgram } from "../support/programs.ts";
import { type ServerKind, serverKinds, type XmppServer } from "../support/xmpp_server.ts";

// One server of each kind for all the tests of this file, and one of what the clients share.
const started = new Map<ServerKind, Promise<XmppServer>>();
Deno.test.afterAll(async () => {
  for (const kind of everyClient) await kind.close?.();
  for (const server of started.values()) await (await server)[Symbol.asyncDispose]();
});

function running(kind: ServerKind): Promise<XmppServer> {
  let server = started.get(kind);
  if (server === undefined) started.set(kind, server = kind.start());
  return server;
}

// The libraries leave timers behind (see xmpp_clients.ts), and steps run side by side.
const careless = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };

// One library after the other: what one asks of the other people's resources is not every other's to answer.
for (const [library, kinds] of Map.groupBy(everyClient, ({ name }) => name.split(/,| over /)[0]!)) {
  const isPage = kinds[0]!.programs?.includes("chromium");
  Deno.test({
    name: `X-002 X-005 X-013 B-023 B-061 W-006 W-024 U-009 ${library} does all that people do`,
    ...haveProgram(...kinds[0]!.programs ?? []),
    ...careless,
    async fn(t) {
      // What a page does differently at the third is what its library does elsewhere.
      const servers = isPage ? serverKinds.slice(0, 2) : serverKinds;
      const cells = kinds.flatMap((kind) => servers.map((serverKind) => ({ kind, serverKind })));
      // Most of the time they are idle, so it is several at a time; pages are not, quite.
      await atMost(isPage ? 3 : 12, cells, ({ kind, serverKind }) =>
        t.step({
          name: `${kind.name}, at ${serverKind.name}`,
          ...haveProgram(...serverKind.programs),
          ...careless,
          async fn() {
            await everydayUse(kind, await running(serverKind));
            record({
              client: kind.name,
              clientVersion: await kind.version(),
              server: serverKind.name,
              serverVersion: await serverKind.version(),
            });
          },
        }));
    },
  });
}

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
          await using manager = await manage(kind, await running(server!), "sockets");
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
