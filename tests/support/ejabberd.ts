import assert from "node:assert/strict";
import { join } from "node:path";
import { ACCOUNTS } from "./accounts.ts";
import { authority, certificate } from "./certificates/certificates.ts";
import { freePort, onFreePorts } from "./free_port.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";
import type { XmppServer } from "./xmpp_server.ts";

/** Milliseconds that it may take to start: it is quick where nothing else is at work. */
const START_PATIENCE = 60_000;

/**
 * A real ejabberd on free ports of the loopback that serves `example.test` to {@link ACCOUNTS}, of
 * whose passwords it keeps what SCRAM needs, and to anybody (SASL ANONYMOUS). It talks to no other
 * server. It is a node without a name, so nothing of Erlang's own network is started.
 */
export class Ejabberd implements XmppServer {
  readonly port: number;
  /** For clients, with STARTTLS; wants a PROXY header first. */
  readonly proxiedPort: number;
  /** The same with TLS from the first byte after that header. */
  readonly proxiedDirectPort: number;
  readonly #commandPort: number;
  readonly #directory: string;
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<Deno.CommandOutput>;
  #exited = false;

  private constructor(directory: string, ports: Ports, process: Deno.ChildProcess) {
    this.port = ports.starttls;
    this.proxiedPort = ports.proxied;
    this.proxiedDirectPort = ports.proxiedDirect;
    this.#commandPort = ports.commands;
    this.#directory = directory;
    this.#process = process;
    this.#output = process.output();
    void this.#output.then(() => this.#exited = true);
  }

  /** Settles when it accepts and knows the accounts. */
  static start(): Promise<Ejabberd> {
    return onFreePorts(() => Ejabberd.#start());
  }

  static async #start(): Promise<Ejabberd> {
    programPath("ejabberdctl");
    const directory = await Deno.makeTempDir({ prefix: "ejabberd-" });
    const ports = {
      starttls: freePort(),
      proxied: freePort(),
      proxiedDirect: freePort(),
      commands: freePort(),
    };
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
      await ejabberd.#makeAccounts();
      await ejabberd.#warmUp();
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

  async cleanEnd(jid: string): Promise<void> {
    // A connection that is kept for stream management is logged in the same way.
    const closing = new RegExp(`Closing c2s (\\w+) for ${RegExp.escape(jid)}: (.+)`);
    const [, what, why] = await this.logged(closing);
    // Its words for </stream:stream>; a connection that just goes away is "Connection closed".
    assert.deepEqual([what, why], ["session", "Stream reset by peer"]);
    const [account, resource] = jid.split("/") as [string, string];
    const [user, host] = account.split("@");
    await until(async () => {
      const resources = await this.#command("user_resources", { user, host }) as string[];
      return !resources.includes(resource) || undefined;
    }, `${jid} is gone`);
  }

  async mechanism(jid: string): Promise<string> {
    const opened = new RegExp(`\\((\\S+)\\) Opened c2s session for ${RegExp.escape(jid)}$`, "m");
    const [, connection] = await this.logged(opened);
    const accepted = `\\(${RegExp.escape(connection!)}\\) Accepted c2s (\\S+) authentication for `;
    return (await this.logged(new RegExp(accepted)))[1]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) this.#process.kill("SIGKILL");
    await this.#output;
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #makeAccounts(): Promise<void> {
    const host = "example.test";
    for (const [user, password] of Object.entries(ACCOUNTS)) {
      await this.#command("register", { user, host, password });
    }
    for (const localuser of Object.keys(ACCOUNTS)) {
      for (const user of Object.keys(ACCOUNTS).filter((user) => user !== localuser)) {
        const names = { localuser, localhost: host, user, host };
        await this.#command("add_rosteritem", { ...names, nick: user, group: "", subs: "both" });
      }
    }
  }

  /** The first stream loads what all of them use: seconds where much else is at work. */
  async #warmUp(): Promise<void> {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    await ask(tcp, HEADER, "</stream:features>");
    await ask(tcp, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<proceed ");
    using tls = await Deno.startTls(tcp, { hostname: "example.test", caCerts: [authority()] });
    await ask(tls, HEADER, "</stream:features>");
  }

  /** One of the commands of ejabberdctl (mod_http_api). */
  async #command(name: string, parameters: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#commandPort}/api/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(parameters),
    });
    const text = await response.text();
    assert.equal(response.status, 200, `${name}: ${text}`);
    return JSON.parse(text);
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

const HEADER = "<stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' to='example.test' version='1.0'>";

/** Settles when that has been answered. */
async function ask(connection: Deno.Conn, question: string, wanted: string): Promise<void> {
  await connection.write(new TextEncoder().encode(question));
  const buffer = new Uint8Array(4_096);
  for (let answer = ""; !answer.includes(wanted);) {
    const length = await connection.read(buffer);
    if (length === null) throw new Error(`ejabberd has no ${wanted} for us: ${answer}`);
    answer += new TextDecoder().decode(buffer.subarray(0, length));
  }
}

interface Ports {
  readonly starttls: number;
  readonly proxied: number;
  readonly proxiedDirect: number;
  readonly commands: number;
}

/** Where Debian keeps ejabberd and what it stands on, as its control script says. */
async function libraries(): Promise<string> {
  const script = await Deno.readTextFile(programPath("ejabberdctl"));
  const path = /^ERL_LIBS='([^']+)'/m.exec(script)?.[1];
  if (path === undefined) throw new Error("ejabberdctl does not say where ejabberd is");
  return path;
}

function configuration(directory: string, ports: Ports): string {
  const clients = (port: number, tls: string, proxied: boolean) => `
  - port: ${port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    use_proxy_protocol: ${proxied}
    ${tls}: true`;
  return `
hosts: ["example.test"]
certfiles: ["${directory}/certificate.pem"]
auth_method: [internal, anonymous]
auth_password_format: scram
anonymous_protocol: sasl_anon
disable_sasl_mechanisms: [DIGEST-MD5, X-OAUTH2]
s2s_access: none
modules:
  mod_admin_extra: {}
  mod_disco: {}
  mod_ping: {}
  mod_roster: {}
  mod_stream_mgmt: {}
api_permissions:
  "the tests":
    from: mod_http_api
    who: all
    what: [register, add_rosteritem, user_resources]
listen:${clients(ports.starttls, "starttls_required", false)}${
    clients(ports.proxied, "starttls_required", true)
  }${clients(ports.proxiedDirect, "tls", true)}
  - port: ${ports.commands}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
`;
}
