/** Who is measured, started as its users start it. */
import { freePort } from "../support/free_port.ts";
import { BenchProsody } from "./prosody.ts";
import { Process } from "./processes.ts";
import type { Target } from "./rig/bosh.ts";
import type { Way } from "./rig/load.ts";

/** The yardsticks, and the two fronts of Causeway beside them. */
export type Front = "deno" | "sockets";
export const FRONTS: readonly Front[] = ["deno", "sockets"];

/** A server that is ready. */
export interface Party extends AsyncDisposable {
  /** Of all the processes that serve. */
  readonly pids: readonly number[];
  /** From its start until it was ready (milliseconds). */
  readonly startTime: number;
  target(way: Way): Target;
}

/** Where the XMPP server is that Causeway connects to. */
export interface Upstream {
  readonly port: number;
  readonly domain: string;
  /** With STARTTLS, and a certificate of this authority (a PEM file). */
  readonly authority?: string;
}

/** The upstream that echoes. */
export class Stub implements AsyncDisposable, Upstream {
  readonly domain = "localhost";
  readonly port: number;
  readonly #process: Process;

  private constructor(port: number, process: Process) {
    this.port = port;
    this.#process = process;
  }

  static async start(): Promise<Stub> {
    const port = freePort();
    const process = Process.deno("driving", "rig/stub.ts", port);
    await process.line();
    return new Stub(port, process);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

/** The stub behind a server that speaks TLS, as `example.test`. */
export class StartTls implements AsyncDisposable, Upstream {
  readonly domain = "example.test";
  readonly port: number;
  readonly authority: string;
  readonly #process: Process;

  private constructor(port: number, authority: string, process: Process) {
    this.port = port;
    this.authority = authority;
    this.#process = process;
  }

  static async start(stub: Stub): Promise<StartTls> {
    const port = freePort();
    const process = Process.deno("driving", "rig/starttls.ts", port, stub.port);
    const authority = await process.line();
    return new StartTls(port, authority, process);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

export async function startFloor(front: Front, upstream: Upstream): Promise<Party> {
  const port = freePort();
  const began = performance.now();
  const process = Process.deno("measured", `floors/${front}.ts`, port, upstream.port);
  await process.line();
  return {
    pids: [process.pid],
    startTime: performance.now() - began,
    target: () => ({ port, path: "/", domain: upstream.domain }),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** Causeway, by the `start` task of deno.json. */
export async function startCauseway(front: Front, upstream: Upstream): Promise<Party> {
  const port = freePort();
  const file = await Deno.makeTempFile({ prefix: "causeway-bench-", suffix: ".toml" });
  await Deno.writeTextFile(file, configuration(front, port, upstream));
  const env = upstream.authority === undefined ? {} : { DENO_CERT: upstream.authority };
  const [, ...flags] = await startCommand();
  const began = performance.now();
  const process = Process.start("measured", [Deno.execPath(), ...flags, "--config", file], env);
  await process.line();
  return {
    pids: [process.pid],
    startTime: performance.now() - began,
    target: (way) => ({
      port,
      path: way === "bosh" ? "/http-bind" : "/xmpp-websocket",
      domain: upstream.domain,
    }),
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await Deno.remove(file);
    },
  };
}

/** Causeway in front of a Prosody of its own. */
export async function startCausewayAndProsody(front: Front): Promise<Party> {
  const prosody = await BenchProsody.start();
  const { startTime, target, pids, ...causeway } = await startCauseway(front, prosody.upstream);
  return {
    startTime,
    target,
    pids: [...pids, ...prosody.pids],
    async [Symbol.asyncDispose]() {
      await causeway[Symbol.asyncDispose]();
      await prosody[Symbol.asyncDispose]();
    },
  };
}

function configuration(front: Front, port: number, upstream: Upstream): string {
  return `
    [[listen]]
    address = "127.0.0.1"
    port = ${port}
    server = "${front}"
    ${front === "sockets" ? "max_connections = 20_000" : ""}
    [limits]
    sessions = 20_000
    [domains."${upstream.domain}"]
    connect = "xmpp://127.0.0.1:${upstream.port}"
    tls = "${upstream.authority === undefined ? "never" : "required"}"
  `;
}

/** What `deno task start` runs, word by word. */
async function startCommand(): Promise<string[]> {
  const file = new URL("../../deno.json", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(file));
  return tasks.start.command.split(" ");
}
