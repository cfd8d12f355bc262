import assert from "node:assert/strict";
import { authorityFile, fileOf } from "../support/certificates/certificates.ts";
import { libpurple } from "../support/clients/libpurple.ts";
import { currentFront, onBothFronts, onFront } from "../support/fronts.ts";
import { pipelined, type Turn } from "../support/http_turns.ts";
import { runManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import { ended, loggedOut, talk } from "../support/recorded_talk.ts";

const kind = libpurple[0]!;

// One server and one program for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => {
  await (await prosody)?.[Symbol.asyncDispose]();
  await kind.close?.();
});

onBothFronts(
  "B-010 B-011 B-053 B-112a T-02 T-12 libpurple logs in, reads what it wrote, and logs out also behind a held request",
  async () => {
    const server = await (prosody ??= Prosody.start());
    await talk({ kind, server }, async (talked) => {
      await loggedOut(talked);
      const { connections } = talked;
      assertPeculiar(connections.flat().filter(({ from }) => from === "client"));
      assertKept(connections.flat());
      // It takes them from there without a look whether they are there.
      const creation = connections[0]!.find(({ from }) => from === "server");
      assert.match(creation!.body, /<stream:features /);
      assert.equal(connections.length, 2);
      for (const turns of connections) assert.deepEqual(pipelined(turns), []);
    });
    await talk({ kind, server, writes: false }, async (talked) => {
      const { connections, manager } = talked;
      assertKept(connections.flat());
      assert.equal(connections.length, 1);
      // It has had no need of a second connection, and does not wait for one at the end.
      const behind = pipelined(connections[0]!);
      assert.equal(behind.length, 1);
      assert.match(behind[0]!.request.body, / type='terminate'/);
      if (currentFront() === "sockets") return await loggedOut(talked);
      // Deno.serve never reads it, and may not have noticed yet that the client is gone.
      await until(() => {
        manager.jump(120_000);
        return manager.manager.sessions === 0 || undefined;
      }, "the session has been given up");
      await ended(talked, "no request from the client for 60 s");
      await talked.serverLog();
    });
  },
  haveProgram("prosody", ...kind.programs ?? []),
);

onFront(
  "sockets",
  "S-001 T-12 libpurple logs in by HTTPS",
  async () => {
    const server = await (prosody ??= Prosody.start());
    await using manager = await runManager({
      toml: `
        [[listen]]
        tls = { cert = "${fileOf("example.test.pem")}", key = "${fileOf("example.test.key")}" }
        [upstream]
        tls = "required"
        [domains."example.test"]
        connect = "xmpp://127.0.0.1:${server.port}"
        ca = "${authorityFile}"
      `,
    });
    assert.match(manager.url, /^https:/);
    const credentials = { user: "romeo", password: ACCOUNTS.romeo!, resource: "https" };
    const romeo = await kind.logIn(manager.url, credentials);
    try {
      assert.equal(await romeo.ask(), "result");
      await romeo.logOut();
    } finally {
      romeo.abandon?.();
    }
    assert.match(await server.session(romeo.jid), /Received <\/stream:stream>/);
  },
  haveProgram("prosody", ...kind.programs ?? []),
);

/** What the tests are named for: where libpurple has changed, they are about something else. */
function assertPeculiar(requests: readonly Turn[]): void {
  for (const { head, body } of requests) {
    assert.match(head, /^User-Agent: libpurple /m);
    assert.match(head, /^Content-Encoding: text\/xml; charset=utf-8\r$/m);
    assert.doesNotMatch(head, /^Content-Type:/m);
    assert.match(body, / to='example\.test'/);
  }
  assert.match(requests[0]!.body, / secure='true'/);
}

/** libpurple has not pipelined since 2.13, so no front has to make it open a connection a request. */
function assertKept(turns: readonly Turn[]): void {
  for (const { from, head } of turns) {
    if (from === "server") assert.doesNotMatch(head, /^connection: close/im);
  }
}
