import assert from "node:assert/strict";
import { join } from "node:path";
import { authorityFile } from "./certificates/certificates.ts";
import { readTurns, type Turn } from "./http_turns.ts";
import { runManager, type RunningManager } from "./manager.ts";
import { Nginx } from "./nginx.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";
import { ACCOUNTS, type Prosody } from "./prosody.ts";
import { RecordingRelay } from "./recording_relay.ts";

/** A client in C or C++ that has been compiled for the tests against the library that it shows. */
export class NativeClient implements AsyncDisposable {
  readonly #folder: string;
  readonly #program: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#program = join(folder, "client");
  }

  /** `source` is a file of this folder, `library` pkg-config's name of one. */
  static async compile(compiler: "gcc" | "g++", source: string, library: string) {
    const client = new NativeClient(await Deno.makeTempDir({ prefix: "client-" }));
    const { stdout } = await run("pkg-config", ["--cflags", "--libs", library]);
    const file = new URL(source, import.meta.url).pathname;
    const options = ["-Wall", "-Wextra", "-Werror", "-o", client.#program, file];
    const compiled = await run(compiler, [...options, ...stdout.trim().split(/\s+/)]);
    assert.equal(compiled.code, 0, compiled.stderr);
    return client;
  }

  /** Runs it to its end, with a home of its own. */
  async run(args: readonly string[]): Promise<Finished> {
    const home = await Deno.makeTempDir({ dir: this.#folder });
    return await run(this.#program, args, { HOME: home });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  program: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<Finished> {
  const path = program.includes("/") ? program : programPath(program);
  const { code, stdout, stderr } = await new Deno.Command(path, {
    args: [...args],
    ...(env === undefined ? {} : { env, clearEnv: true }),
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** How a client talked, after the fact. */
export interface Talk {
  readonly manager: RunningManager;
  /** What was said on each of its connections. */
  readonly connections: readonly (readonly Turn[])[];
  /** What the server logged of it, when it has heard the end. */
  serverLog(): Promise<string>;
}

export interface TalkOptions {
  readonly client: NativeClient;
  readonly server: Prosody;
  /** Of `example.test`; two at once must not hear of each other. Default: romeo. */
  readonly user?: "romeo" | "juliet";
  /** Whether an nginx stands before the manager; default: none does. */
  readonly nginx?: boolean;
  /** Arguments of the client's own, before those that all of them take. */
  readonly options?: readonly string[];
  /** Whether it writes to itself before it logs out; default: it does. */
  readonly writes?: boolean;
}

/**
 * Lets a client log in at a manager with the front of the test, send itself a message and log
 * out, and checks that it says that it has. What it looked like from outside is for `check`.
 */
export async function talk(
  { client, server, user = "romeo", nginx = false, options = [], writes = true }: TalkOptions,
  check: (talk: Talk) => Promise<void>,
): Promise<void> {
  await using manager = await runManager({
    toml: `
      [upstream]
      tls = "required"
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server.port}"
      ca = "${authorityFile}"
    `,
  });
  await using proxy = nginx ? await Nginx.start(manager.url) : undefined;
  await using relay = new RecordingRelay(proxy?.ports.plain ?? Number(new URL(manager.url).port));
  const jid = `${user}@example.test/${crypto.randomUUID().slice(0, 8)}`;
  const text = "art thou not Romeo & a <Montague>? 😀";
  const { code, stdout, stderr } = await client.run([
    ...options,
    String(relay.port),
    jid,
    ACCOUNTS[user]!,
    ...(writes ? [text] : []),
  ]);
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.deepEqual(
    stdout.split("\n").map((line) => line.replace(/^disconnected.*/, "disconnected")),
    [
      `connected ${jid}`,
      ...(writes ? [`message ${text}`] : []),
      "disconnected",
      "",
    ],
  );
  const connections = relay.passages.map(readTurns);
  await check({ manager, connections, serverLog: () => server.session(jid) });
}

/** Waits until the manager has ended the session, for this reason alone. */
export async function ended({ manager }: Talk, reason: string): Promise<void> {
  await until(() => manager.manager.sessions === 0 || undefined, "the session has ended");
  const ends = manager.events.filter((event) => event.type === "session-ended");
  assert.deepEqual(ends.map((end) => end.reason), [reason]);
}

/** Waits until manager and server have heard that the client has logged out. */
export async function loggedOut(talk: Talk): Promise<void> {
  await ended(talk, "the client ended the session");
  assert.match(await talk.serverLog(), /Received <\/stream:stream>/);
}
