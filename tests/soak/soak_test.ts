/**
 * Nothing is left of a session, however it ended: no object of ours, no file descriptor, no heap.
 *
 * `SOAK_SESSIONS=1000000 deno task soak` opens a million; without it there are as many as a test may take.
 */
import assert from "node:assert/strict";
import { report } from "../support/flood_report.ts";
import type { Counted, Findings } from "./run.ts";

const SESSIONS = Number(Deno.env.get("SOAK_SESSIONS") ?? 2_000);
/** After so many everything has been used that is made once. */
const FIRST = Math.min(10_000, SESSIONS / 4);
/** One batch in so many is one of real sockets. */
const SHARE = 10;
/** What the heap may have grown by (bytes): the program's own code, which V8 goes on improving. */
const TOLERANCE = 1_048_576;

/** What there is of for each session, each stream, each connection and each request. */
const OF_SESSIONS = [
  "Alarm",
  "Backlog",
  "BoshActor",
  "BoshSession",
  "C2sStream",
  "Connection",
  "HttpCodec",
  "HttpConnection",
  "Outgoing",
  "RequestWindow",
  "TcpUpstream",
  "WebSocketActor",
  "WebSocketCodec",
  "WebSocketConnection",
  "WebSocketSession",
];

/** What is there of for a moment only. */
const OF_MOMENTS = ["PendingRequest", "SocketsExchange", "StreamEvents"];

Deno.test({
  name: `S-007 of ${SESSIONS} clients that leave in every state nothing is kept`,
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { living, first, last, ...rest } = await soak();
    const { sessions, created, ended, seconds } = rest;
    report(
      `soak: ${sessions} attempts, ${created} sessions in ${seconds} s; ` +
        `after ${FIRST}: ${figures(first)}; after all: ${figures(last)}`,
    );
    assert.equal(sessions, SESSIONS);
    // The others were refused, as they should be.
    assert.ok(created > SESSIONS / 2);
    assert.equal(ended, created);
    for (const name of OF_SESSIONS) assert.ok(living.objects[name]! > 0, `no ${name} is alive`);
    for (const name of [...OF_SESSIONS, ...OF_MOMENTS]) {
      assert.equal(last.objects[name] ?? 0, 0, `${name} of sessions that have ended`);
    }
    assert.deepEqual(last.objects, first.objects);
    assert.equal(last.fileDescriptors, first.fileDescriptors);
    const growth = last.used - first.used;
    assert.ok(growth < TOLERANCE, `the heap has grown by ${growth} bytes`);
  },
});

async function soak(): Promise<Findings> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--v8-flags=--expose-gc",
      new URL("run.ts", import.meta.url).pathname,
      ...[SESSIONS, FIRST, SHARE].map(String),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  assert.equal(code, 0);
  return JSON.parse(new TextDecoder().decode(stdout));
}

function figures({ used, rss, fileDescriptors }: Counted): string {
  const mebibytes = (bytes: number) => (bytes / 1_048_576).toFixed(1);
  return `heap ${mebibytes(used)} MiB, RSS ${mebibytes(rss)} MiB, ${fileDescriptors} descriptors`;
}
