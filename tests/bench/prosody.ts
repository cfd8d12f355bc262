import { join } from "node:path";
import { freePort } from "../support/free_port.ts";
import { programPath } from "../support/programs.ts";
import type { Party, Upstream } from "./parties.ts";
import { Process } from "./processes.ts";

/**
 * A Prosody that lets anyone in at `localhost`, over TCP and by its own BOSH and WebSocket, and logs
 * nothing, as far from the one that tests converse with (tests/support/prosody.ts) as that is from
 * a fast one.
 */
export class BenchProsody implements Party {
  readonly startTime = NaN;
  readonly pids: readonly number[];
  readonly upstream: Upstream;
  readonly #directory: string;
  readonly #process: Process;
  readonly #http: number;

  private constructor(directory: string, ports: Ports, process: Process) {
    this.pids = [process.pid];
    this.upstream = { port: ports.c2s, domain: "localhost" };
    this.#directory = directory;
    this.#http = ports.http;
    this.#process = process;
  }

  static async start(): Promise<BenchProsody> {
    const directory = await Deno.makeTempDir({ prefix: "prosody-bench-" });
    const ports = { c2s: freePort(), http: freePort() };
    const file = join(directory, "prosody.cfg.lua");
    await Deno.writeTextFile(file, configuration(directory, ports));
    const process = Process.start("measured", [programPath("prosody"), "-F", "--config", file]);
    const prosody = new BenchProsody(directory, ports, process);
    for (const port of [ports.c2s, ports.http]) await accepts(port);
    return prosody;
  }

  target(way: "bosh" | "ws") {
    return {
      port: this.#http,
      path: way === "bosh" ? "/http-bind" : "/xmpp-websocket",
      domain: this.upstream.domain,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Prosody's version, as it says it. */
export function prosodyVersion(): string {
  const { stdout } = new Deno.Command(programPath("prosodyctl"), { args: ["about"] }).outputSync();
  return /Prosody [\d.]+/.exec(new TextDecoder().decode(stdout))?.[0] ?? "Prosody";
}

interface Ports {
  readonly c2s: number;
  readonly http: number;
}

async function accepts(port: number): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (attempt === 100) throw new Error("Prosody does not listen", { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function configuration(directory: string, { c2s, http }: Ports): string {
  return `
    run_as_root = true
    data_path = "${directory}"
    pidfile = "${directory}/prosody.pid"
    log = { { levels = { min = "error" }; to = "file"; filename = "${directory}/prosody.log" } }
    modules_enabled = { "saslauth"; "bosh"; "websocket" }
    modules_disabled = { "s2s" }
    interfaces = { "127.0.0.1" }
    c2s_ports = { ${c2s} }
    c2s_direct_tls_ports = {}
    http_ports = { ${http} }
    https_ports = {}
    c2s_require_encryption = false
    consider_bosh_secure = true
    consider_websocket_secure = true
    authentication = "anonymous"
    VirtualHost "localhost"
  `;
}
