import { freePort } from "./free_port.ts";
import { programPath } from "./programs.ts";

/**
 * A real name server (dnsmasq) on a free port of the loopback that knows the
 * given records and nothing else. `records` are its own options, such as
 * `srv-host=_xmpp-client._tcp.example.test,xmpp.example.test,5222,10,1`.
 */
export class NameServer {
  readonly address = "127.0.0.1";
  readonly port: number;
  readonly #process: Deno.ChildProcess;
  readonly #log: string[] = [];
  readonly #logged: Promise<void>;

  private constructor(port: number, process: Deno.ChildProcess, started: () => void) {
    this.port = port;
    this.#process = process;
    this.#logged = this.#read(started);
  }

  static async start(...records: readonly string[]): Promise<NameServer> {
    const port = freePort();
    const process = new Deno.Command(programPath("dnsmasq"), {
      args: [
        "--no-daemon",
        "--conf-file=/dev/null",
        "--pid-file",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
        "--listen-address=127.0.0.1",
        `--port=${port}`,
        "--log-queries",
        "--log-facility=-",
        "--local=/test/",
        ...records.map((record) => `--${record}`),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const { promise, resolve } = Promise.withResolvers<void>();
    const server = new NameServer(port, process, resolve);
    await Promise.race([promise, server.#logged]);
    if (!server.#log.some(isStarted)) {
      await process.status;
      throw new Error(`dnsmasq did not start: ${server.#log.join("\n")}`);
    }
    return server;
  }

  /** What it has been asked, such as `SRV _xmpp-client._tcp.example.test`, in alphabetical order. */
  get queries(): string[] {
    return this.#log.flatMap((line) => {
      const match = /query\[([A-Z]+)\] (\S+) from/.exec(line);
      return match === null ? [] : [`${match[1]} ${match[2]}`];
    }).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.status;
    await this.#logged;
  }

  async #read(started: () => void): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#log.push(...lines);
      if (lines.some(isStarted)) started();
    }
    if (rest !== "") this.#log.push(rest);
  }
}

function isStarted(line: string): boolean {
  return line.includes("started, version");
}
