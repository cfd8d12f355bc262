import assert from "node:assert/strict";
import { currentFront, onBothFronts } from "../support/fronts.ts";
import { pipelined, type Turn } from "../support/http_turns.ts";
import { ended, loggedOut, NativeClient, talk } from "../support/native_client.ts";
import { haveProgram } from "../support/programs.ts";
import { Prosody } from "../support/prosody.ts";

// One server and one program for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
let purple: Promise<NativeClient> | undefined;
Deno.test.afterAll(async () => {
  await (await prosody)?.[Symbol.asyncDispose]();
  await (await purple)?.[Symbol.asyncDispose]();
});

onBothFronts(
  "B-010 B-011 B-112a T-12 libpurple logs in, reads what it wrote, and logs out also behind a held request",
  async () => {
    const client = await (purple ??= NativeClient.compile("gcc", "purple_client.c", "purple"));
    const server = await (prosody ??= Prosody.start());
    // It takes its time, a second for every request, so it is two at a time.
    await Promise.all([
      talk({ client, server }, async (talked) => {
        await loggedOut(talked);
        const { connections } = talked;
        assertPeculiar(connections.flat().filter(({ from }) => from === "client"));
        assertKept(connections.flat());
        assert.equal(connections.length, 2);
        for (const turns of connections) assert.deepEqual(pipelined(turns), []);
      }),
      talk({ client, server, user: "juliet", writes: false }, async (talked) => {
        const { connections, manager } = talked;
        assertKept(connections.flat());
        assert.equal(connections.length, 1);
        // It has had no need of a second connection, and does not wait for one at the end.
        const behind = pipelined(connections[0]!);
        assert.equal(behind.length, 1);
        assert.match(behind[0]!.request.body, / type='terminate'/);
        if (currentFront() === "sockets") return await loggedOut(talked);
        // Deno.serve never reads it.
        manager.jump(120_000);
        await ended(talked, "no request from the client for 60 s");
      }),
    ]);
  },
  haveProgram("prosody", "gcc", "purple.pc"),
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
