import { join } from "node:path";
import { certificate } from "./certificates/certificates.ts";
import { freePort } from "./free_port.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";

/** Milliseconds that it may take to start: it is quick where nothing else is at work. */
const START_PATIENCE = 60_000;

/**
 * A real ejabberd on free ports of the loopback that lets anybody into `example.test` (SASL
 * ANONYMOUS), and talks to no other server. It is a node without a name, so nothing of Erlang's own
 * network is started.
 */
export class Ejabberd implements AsyncDisposable {
  /** For clients, with STARTTLS; wants a PROXY header first. */
  readonly port: number;
  /** The same with TLS from the first byte after that header. */
  readonly directPort: number;
  readonly #directory: string;
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<Deno.CommandOutput>;
  #exited = false;

  private constructor(directory: string, ports: Ports, process: Deno.ChildProcess) {
    this.port = ports.starttls;
    this.directPort = ports.direct;
    this.#directory = directory;
    this.#process = process;
    this.#output = process.output();
    void this.#output.then(() => this.#exited = true);
  }

  /** Settles when it accepts. */
  static async start(): Promise<Ejabberd> {
    programPath("ejabberdctl");
    const directory = await Deno.makeTempDir({ prefix: "ejabberd-" });
    const ports = { starttls: freePort(), direct: freePort() };
    const { cert, key } = certificate("example.test");
    await Deno.writeTextFile(join(directory, "certificate.pem"), cert + key);
    const file = join(directory, "ejabberd.yml");
    await Deno.writeTextFile(file, configuration(directory, ports));
    // The control script would change to a user of its own, and start Erlang's name server.
    const process = new Deno.Command(programPath("erl"), {
      args: ["-noinput", "-mnesia", "dir", JSON.stringify(join(directory, "db")), "-s", "ejabberd"],
      env: {
        EJABBERD_CONFIG_PATH: file,
        EJABBERD_LOG_PATH: join(directory, "ejabberd.log"),
        ERL_CRASH_DUMP: join(directory, "crash"),
        ERL_LIBS: await libraries(),
        HOME: directory,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const ejabberd = new Ejabberd(directory, ports, process);
    try {
      for (const port of Object.values(ports)) {
        const accepts = new RegExp(`Start accepting \\S+ connections at 127.0.0.1:${port} `);
        await ejabberd.logged(accepts, START_PATIENCE);
      }
    } catch (error) {
      await ejabberd[Symbol.asyncDispose]();
      throw error;
    }
    return ejabberd;
  }

  /** Waits until something is in its log. */
  async logged(pattern: RegExp, patience?: number): Promise<RegExpExecArray> {
    return await until(
      async () => {
        if (this.#exited) {
          const { stdout, stderr } = await this.#output;
          const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
          throw new Error(`ejabberd has ended: ${said}`);
        }
        return pattern.exec(await this.#log()) ?? undefined;
      },
      `ejabberd's log has ${pattern}`,
      patience,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) this.#process.kill("SIGKILL");
    await this.#output;
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #log(): Promise<string> {
    try {
      return await Deno.readTextFile(join(this.#directory, "ejabberd.log"));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }
}

interface Ports {
  readonly starttls: number;
  readonly direct: number;
}

/** Where Debian keeps ejabberd and what it stands on, as its control script says. */
async function libraries(): Promise<string> {
  const script = await Deno.readTextFile(programPath("ejabberdctl"));
  const path = /^ERL_LIBS='([^']+)'/m.exec(script)?.[1];
  if (path === undefined) throw new Error("ejabberdctl does not say where ejabberd is");
  return path;
}

function configuration(directory: string, ports: Ports): string {
  const listener = (port: number, tls: string) => `
  - port: ${port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    use_proxy_protocol: true
    ${tls}: true`;
  return `
hosts: ["example.test"]
certfiles: ["${directory}/certificate.pem"]
auth_method: anonymous
anonymous_protocol: sasl_anon
s2s_access: none
modules: {}
listen:${listener(ports.starttls, "starttls_required")}${listener(ports.direct, "tls")}
`;
}
