import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ACCOUNTS } from "./accounts.ts";
import { certificate } from "./certificates/certificates.ts";
import { freePort, onFreePorts } from "./free_port.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";
import type { XmppServer } from "./xmpp_server.ts";

const PARTS = ["router", "sm", "c2s"] as const;
type Part = typeof PARTS[number];

/** The programs that it consists of. */
export const JABBERD2_PROGRAMS: readonly string[] = PARTS.map((part) => `jabberd2-${part}`);

/**
 * A real jabberd2 on free ports of the loopback that serves `example.test` to {@link ACCOUNTS} and
 * talks to no other server. It knows the passwords themselves and offers nothing but SCRAM-SHA-1.
 */
export class Jabberd2 implements XmppServer {
  readonly port: number;
  readonly #directory: string;
  readonly #processes: Deno.ChildProcess[] = [];

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  /** Settles when it accepts. */
  static start(): Promise<Jabberd2> {
    return onFreePorts(() => Jabberd2.#start());
  }

  static async #start(): Promise<Jabberd2> {
    const directory = await Deno.makeTempDir({ prefix: "jabberd2-" });
    const ports = { clients: freePort(), router: freePort() };
    const { cert, key } = certificate("example.test");
    await Deno.writeTextFile(join(directory, "certificate.pem"), cert + key);
    makeDatabase(join(directory, "database"));
    const jabberd2 = new Jabberd2(directory, ports.clients);
    try {
      const configurations = await configurationsOf(directory, ports);
      for (const [name, text] of Object.entries(configurations)) {
        await Deno.writeTextFile(join(directory, `${name}.xml`), text);
      }
      await jabberd2.#run("router", /listening for incoming connections/);
      await jabberd2.#run("sm", /sm ready for sessions/);
      await jabberd2.#run("c2s", /ready for connections/);
    } catch (error) {
      await jabberd2[Symbol.asyncDispose]();
      throw error;
    }
    return jabberd2;
  }

  /** Its log does not tell whether `</stream:stream>` came. */
  async cleanEnd(jid: string): Promise<void> {
    const name = RegExp.escape(jid);
    await this.#logged("c2s", new RegExp(`disconnect jid=${name}, `));
    await this.#logged("sm", new RegExp(`session ended: jid=${name}$`, "m"));
    const log = (await this.#connection(jid)).join("\n");
    assert.doesNotMatch(log, /error|limited|closing stream/);
  }

  async mechanism(jid: string): Promise<string> {
    const lines = await this.#connection(jid);
    const succeeded = lines.map((line) => /\] (\S+) authentication succeeded: /.exec(line)?.[1]);
    return succeeded.find((mechanism) => mechanism !== undefined)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes.toReversed()) {
      try {
        process.kill("SIGTERM");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        // It has ended already.
      }
      await process.status;
    }
    await Deno.remove(this.#directory, { recursive: true });
  }

  /** What c2s logged of the connection that bound a full JID, up to its end or until now. */
  async #connection(jid: string): Promise<string[]> {
    const bound = new RegExp(`\\[(\\d+)\\] bound: jid=${RegExp.escape(jid)}$`, "m");
    const [found, descriptor] = await this.#logged("c2s", bound);
    const lines = (await this.#log("c2s")).split("\n")
      .filter((line) => line.includes(` [notice] [${descriptor}] `));
    const at = lines.findIndex((line) => line.endsWith(found));
    // A file descriptor comes back once its connection has ended.
    const first = lines.findLastIndex((line, i) => i < at && line.endsWith("] connect"));
    const last = lines.findIndex((line, i) => i > at && line.includes("] disconnect jid="));
    return lines.slice(first, last < 0 ? lines.length : last + 1);
  }

  async #run(part: Part, ready: RegExp): Promise<void> {
    const process = new Deno.Command(programPath(`jabberd2-${part}`), {
      args: ["-c", join(this.#directory, `${part}.xml`)],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#processes.push(process);
    let ended = false;
    void process.status.then(() => ended = true);
    await until(async () => {
      const log = await this.#log(part);
      if (ended) throw new Error(`jabberd2's ${part} has ended: ${log}`);
      return ready.test(log) || undefined;
    }, `jabberd2's ${part} is ready`);
  }

  async #logged(part: Part, pattern: RegExp): Promise<RegExpExecArray> {
    return await until(
      async () => pattern.exec(await this.#log(part)) ?? undefined,
      `the log of jabberd2's ${part} has ${pattern}`,
    );
  }

  async #log(part: Part): Promise<string> {
    try {
      return await Deno.readTextFile(join(this.#directory, `${part}.log`));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }
}

interface Ports {
  readonly clients: number;
  /** Where its parts find each other. */
  readonly router: number;
}

/** The tables that are needed here, as its own `db-setup.sqlite` has them. */
function makeDatabase(file: string): void {
  using database = new DatabaseSync(file);
  const owned = '"collection-owner" TEXT NOT NULL, "object-sequence" INTEGER PRIMARY KEY';
  database.exec(`
    CREATE TABLE authreg (username TEXT NOT NULL, realm TEXT NOT NULL, password TEXT);
    CREATE TABLE active (${owned}, time INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE "roster-items" (${owned}, jid TEXT NOT NULL, name TEXT,
      "to" BOOLEAN NOT NULL, "from" BOOLEAN NOT NULL, ask INTEGER NOT NULL);
    CREATE TABLE "roster-groups" (${owned}, jid TEXT NOT NULL, "group" TEXT NOT NULL);
  `);
  const account = database.prepare("INSERT INTO authreg VALUES (?, 'example.test', ?)");
  const active = database.prepare('INSERT INTO active ("collection-owner") VALUES (?)');
  const contact = database.prepare(
    'INSERT INTO "roster-items" ("collection-owner", jid, "to", "from", ask) VALUES (?, ?, 1, 1, 0)',
  );
  for (const [name, password] of Object.entries(ACCOUNTS)) {
    account.run(name, password);
    active.run(`${name}@example.test`);
    for (const other of Object.keys(ACCOUNTS)) {
      if (other !== name) contact.run(`${name}@example.test`, `${other}@example.test`);
    }
  }
}

/** The content of its files by their names; what is not said has no limit. */
async function configurationsOf(
  directory: string,
  ports: Ports,
): Promise<Readonly<Record<Part | "users", string>>> {
  const modules = await modulesPath();
  const common = (part: Part) => `
    <id>${part}</id>
    <pidfile>${directory}/${part}.pid</pidfile>
    <log type="file"><file>${directory}/${part}.log</file></log>`;
  const router = `
    <router>
      <ip>127.0.0.1</ip><port>${ports.router}</port>
      <user>jabberd</user><pass>secret</pass>
    </router>`;
  const sqlite = `
    <sqlite>
      <dbname>${directory}/database</dbname>
      <password_type><plaintext/></password_type>
    </sqlite>`;
  const chain = (id: string, names: readonly string[]) =>
    `<chain id="${id}">${names.map((name) => `<module>${name}</module>`).join("")}</chain>`;
  const mechanisms = "<sasl><scram-sha-1/><plain/></sasl>";
  return {
    users: "<users><user><name>jabberd</name><secret>secret</secret></user></users>",
    router: `<router>${common("router")}
      <local>
        <ip>127.0.0.1</ip><port>${ports.router}</port><users>${directory}/users.xml</users>
      </local>
      <aci><acl type="all"><user>jabberd</user></acl></aci>
    </router>`,
    sm: `<sm>${common("sm")}${router}
      <local><id>example.test</id></local>
      <storage><path>${modules}</path><driver>sqlite</driver>${sqlite}</storage>
      <modules>
        <path>${modules}</path>
        ${
      [
        chain("in-sess", ["validate", "roster", "iq-ping", "disco", "presence", "deliver"]),
        chain("in-router", ["session", "validate", "presence"]),
        chain("pkt-sm", ["iq-ping", "disco", "presence"]),
        chain("pkt-user", ["roster", "presence", "disco", "deliver"]),
        chain("pkt-router", ["session", "disco"]),
        chain("user-load", ["active", "roster"]),
      ].join("\n")
    }
      </modules>
      <discovery>
        <identity><category>server</category><type>im</type><name>jabberd2</name></identity>
      </discovery>
    </sm>`,
    c2s: `<c2s>${common("c2s")}${router}
      <local>
        <id pemfile="${directory}/certificate.pem" require-starttls="true">example.test</id>
        <ip>127.0.0.1</ip><port>${ports.clients}</port>
      </local>
      <authreg>
        <path>${modules}</path><module>sqlite</module>${sqlite}
        <mechanisms>${mechanisms}</mechanisms>
        <ssl-mechanisms>${mechanisms}</ssl-mechanisms>
      </authreg>
    </c2s>`,
  };
}

/** Where Debian keeps its modules, as the configuration says that comes with it. */
async function modulesPath(): Promise<string> {
  const packaged = await Deno.readTextFile("/etc/jabberd2/c2s.xml");
  const path = /<path>([^<]+)<\/path>/.exec(packaged)?.[1];
  if (path === undefined) throw new Error("jabberd2 does not say where its modules are");
  return path;
}
