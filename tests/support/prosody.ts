import assert from "node:assert/strict";
import { join } from "node:path";
import { ACCOUNTS, scramKeys } from "./accounts.ts";
import { certificate, type CertificateName } from "./certificates/certificates.ts";
import { freePort, onFreePorts } from "./free_port.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";
import type { XmppServer } from "./xmpp_server.ts";

export { ACCOUNTS };

export interface ProsodyOptions {
  /** What it shows; `undefined`: it offers no TLS, and lets clients in without. */
  readonly certificate?: CertificateName | undefined;
  /** It offers PLAIN too, and not only SCRAM-SHA-1. */
  readonly plain?: boolean;
  /** More of its modules, from the package prosody-modules: `sasl2`; see {@link prosodyModule}. */
  readonly modules?: readonly string[];
}

/** For `haveProgram`: one of the modules that the package prosody-modules has. */
export function prosodyModule(name: string): string {
  return `/usr/lib/prosody/modules/mod_${name}/mod_${name}.lua`;
}

/**
 * A real Prosody on free ports of the loopback that serves `example.test` to {@link ACCOUNTS} and
 * talks to no other server. Of the passwords it knows hashes for SCRAM-SHA-1.
 */
export class Prosody implements XmppServer {
  readonly port: number;
  /** For clients, TLS from the first byte (XEP-0368); nobody listens there without a certificate. */
  readonly directPort: number;
  readonly #directory: string;
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<Deno.CommandOutput>;
  #exited = false;

  private constructor(directory: string, ports: Ports, process: Deno.ChildProcess) {
    this.port = ports.plain;
    this.directPort = ports.direct;
    this.#directory = directory;
    this.#process = process;
    this.#output = process.output();
    void this.#output.then(() => this.#exited = true);
  }

  /** Settles when it accepts. */
  static async start(options: ProsodyOptions = { certificate: "example.test" }): Promise<Prosody> {
    return await onFreePorts(async () => {
      const prosody = await Prosody.#spawn(options);
      try {
        await prosody.#accepts(options);
        return prosody;
      } catch (error) {
        await prosody[Symbol.asyncDispose]();
        throw error;
      }
    });
  }

  static async #spawn(options: ProsodyOptions): Promise<Prosody> {
    const program = programPath("prosody");
    const directory = await Deno.makeTempDir({ prefix: "prosody-" });
    const ports = { plain: freePort(), direct: freePort() };
    const store = async (what: string, name: string, data: string) => {
      const folder = join(directory, "example%2etest", what);
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(join(folder, `${name}.dat`), data);
    };
    for (const [name, password] of Object.entries(ACCOUNTS)) {
      await store("accounts", name, hashedAccount(password));
      await store("roster", name, roster(Object.keys(ACCOUNTS).filter((other) => other !== name)));
    }
    if (options.certificate !== undefined) {
      const { cert, key } = certificate(options.certificate);
      await Deno.writeTextFile(join(directory, "cert.pem"), cert);
      await Deno.writeTextFile(join(directory, "key.pem"), key);
    }
    const file = join(directory, "prosody.cfg.lua");
    await Deno.writeTextFile(file, configuration(directory, ports, options));
    const process = new Deno.Command(program, {
      args: ["-F", "--config", file],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new Prosody(directory, ports, process);
  }

  /** All that it has logged, at level debug. It logs the outermost tag of what clients send. */
  async log(): Promise<string> {
    try {
      return await Deno.readTextFile(this.#logFile);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  /** Waits until something is in its log. */
  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#search((log) => pattern.exec(log) ?? undefined, String(pattern));
  }

  /**
   * What it logged of one client's connection, from its beginning to its end, which is waited for.
   * A full JID must have been bound once only.
   */
  async session(jid: string): Promise<string> {
    return await this.#search((log) => {
      const session = linesOf(log, jid);
      return session?.ended ? session.lines.join("\n") : undefined;
    }, `a session of ${jid} that has ended`);
  }

  async cleanEnd(jid: string): Promise<void> {
    const log = await this.session(jid);
    assert.match(log, /Received <\/stream:stream>/);
    assert.match(log, new RegExp(`Unbinding resource for ${RegExp.escape(jid)} \\([^:]+\\)$`, "m"));
    assert.doesNotMatch(log, /hibernat|<stream:error>|remote with error|Traceback/i);
  }

  async mechanism(jid: string): Promise<string> {
    const lines = await this.#search((log) => linesOf(log, jid)?.lines, `a session of ${jid}`);
    const tries = lines.flatMap((line) =>
      /<auth(?:enticate)? .*mechanism='([^']+)'/.exec(line)?.[1] ?? []
    );
    return tries.at(-1)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) this.#process.kill("SIGTERM");
    // Told to end in the moment in which it is busy with a client that leaves, it fails at both and goes on.
    const patience = setTimeout(() => this.#exited || this.#process.kill("SIGKILL"), 3_000);
    await this.#output;
    clearTimeout(patience);
    await Deno.remove(this.#directory, { recursive: true });
  }

  /** Looks into the log until the search finds something. */
  async #search<T>(search: (log: string) => T | undefined, what: string): Promise<T> {
    let log = "";
    try {
      return await until(async () => {
        if (this.#exited) throw new Error("Prosody has ended");
        log = await this.log();
        return search(log);
      }, `Prosody's log has ${what}`);
    } catch (error) {
      throw new Error(`${(error as Error).message}; its log: ${log}`, { cause: error });
    }
  }

  async #accepts({ certificate }: ProsodyOptions): Promise<void> {
    try {
      for (const service of certificate === undefined ? ["c2s"] : ["c2s", "c2s_direct_tls"]) {
        const [, where] = await this.logged(new RegExp(`Activated service '${service}' on (.+)\n`));
        assert.notEqual(where, "no ports", await this.log());
      }
    } catch (error) {
      if (!this.#exited) throw error;
      const { stdout, stderr } = await this.#output;
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      throw new Error(`Prosody did not start: ${said}`, { cause: error });
    }
  }

  get #logFile(): string {
    return join(this.#directory, "prosody.log");
  }
}

/**
 * The lines about the connection that bound a full JID, until it ended or until now; `undefined`:
 * it is not bound yet.
 */
function linesOf(
  log: string,
  jid: string,
): { readonly lines: readonly string[]; readonly ended: boolean } | undefined {
  const lines = log.split("\n");
  const bound = lines.findIndex((line) => line.endsWith(`Resource bound: ${jid}`));
  if (bound < 0) return undefined;
  const name = lines[bound]!.split(/\s+/)[3]!;
  const own = (line: string, what: string) => line.includes(`${name}\tinfo\t${what}`);
  // A name may come back once its connection has ended.
  const first = lines.findLastIndex((line, i) => i < bound && own(line, "Client connected"));
  const last = lines.findIndex((line, i) => i > bound && own(line, "Client disconnected"));
  const end = last < 0 ? lines.length : last + 1;
  return { lines: lines.slice(first, end).filter((line) => line.includes(name)), ended: last >= 0 };
}

interface Ports {
  readonly plain: number;
  readonly direct: number;
}

function configuration(
  directory: string,
  ports: Ports,
  { certificate, plain = false, modules = [] }: ProsodyOptions,
): string {
  const tls = certificate !== undefined;
  const enabled = ["roster", "saslauth", "disco", "pep", "ping", "smacks", ...modules];
  if (tls) enabled.push("tls");
  if (modules.includes("sasl2")) enabled.push("sasl2_bridge");
  const ssl = `{ certificate = "${directory}/cert.pem"; key = "${directory}/key.pem" }`;
  return `
    run_as_root = true
    data_path = "${directory}"
    pidfile = "${directory}/prosody.pid"
    certificates = "${directory}"
    log = { { levels = { min = "debug" }; to = "file"; filename = "${directory}/prosody.log" } }
    admins = {}
    plugin_paths = { "${new URL(".", import.meta.url).pathname}" }
    modules_enabled = { ${enabled.map((name) => `"${name}"`).join("; ")} }
    modules_disabled = { "s2s" }
    c2s_interfaces = { "127.0.0.1" }
    c2s_ports = { ${ports.plain} }
    c2s_require_encryption = ${tls}
    c2s_direct_tls_interfaces = { "127.0.0.1" }
    c2s_direct_tls_ports = { ${tls ? ports.direct : ""} }
    authentication = "internal_hashed"
    storage = "internal"
    disable_sasl_mechanisms = { "SCRAM-SHA-1-PLUS"; ${plain ? "" : '"PLAIN"'} }
    ${tls ? `ssl = ${ssl}\nc2s_direct_tls_ssl = ${ssl}` : ""}
    VirtualHost "example.test"
  `;
}

/** An account as Prosody keeps it: what SCRAM-SHA-1 needs, and not the password. */
function hashedAccount(password: string): string {
  const { salt, iterations, storedKey, serverKey } = scramKeys(password);
  return `return { ["salt"] = "${salt}"; ["iteration_count"] = ${iterations}; ` +
    `["stored_key"] = "${storedKey.toString("hex")}"; ` +
    `["server_key"] = "${serverKey.toString("hex")}"; };\n`;
}

/** A roster as Prosody keeps it. */
function roster(names: readonly string[]): string {
  const items = names.map((name) =>
    `["${name}@example.test"] = { ["subscription"] = "both"; ["groups"] = {}; };`
  );
  return `return { ${items.join(" ")} };\n`;
}
