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

for (const kind of everyClient) {
  Deno.test({
    name: `X-002 X-005 X-013 B-023 B-061 W-006 W-024 U-009 ${kind.name} does all that people do`,
    ...haveProgram(...kind.programs ?? []),
    ...careless,
    async fn(t) {
      // Most of the time it is idle: the servers take it at the same time.
      await Promise.all(serverKinds.map((serverKind) =>
        t.step({
          name: `at ${serverKind.name}`,
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
        })
      ));
    },
  });

  const [first] = serverKinds;
  Deno.test({
    name: `B-126 X-005 ${kind.name} is told that the password is wrong`,
    ...haveProgram(...first!.programs, ...kind.programs ?? []),
    ...careless,
    async fn() {
      await using manager = await manage(kind, await running(first!), "sockets");
      const credentials = { user: "romeo", password: "wrong", resource: "none" };
      await assert.rejects(kind.logIn(manager.url, credentials), {
        name: "LoginError",
        condition: "not-authorized",
      });
    },
  });
}
