import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../src/clock.ts";
import { isLoopback } from "../../src/config/address.ts";
import { findDomain } from "../../src/config/domains.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { tcpConnector } from "../../src/upstream/tcp_connector.ts";
import { CREATION, nextHeader } from "../conformance/stage.ts";
import { BoshClient, type BoshResponse } from "./bosh_client.ts";
import { authorityFile, type CertificateName } from "./certificates/certificates.ts";
import { configOf, runManager, type RunningManager } from "./manager.ts";
import {
  MECHANISMS,
  type ScriptedConnection,
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "./upstream_server.ts";

export interface FinderSetup {
  /** Keys of `[upstream]`. */
  readonly upstream?: string;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Addresses to which names may lead; by default those of loopback, where no name of the world may. */
  readonly mayDial?: (address: string) => boolean;
}

/** A connection manager that serves every domain and finds its servers by this name server. */
export class Finder implements AsyncDisposable {
  /** Of what the upstreams did. */
  readonly events: ManagerEvent[] = [];
  #running!: RunningManager;
  readonly #clients: BoshClient[] = [];

  static async start(
    dns: { readonly address: string; readonly port: number },
    { upstream = "", clock = systemClock, random = Math.random, mayDial = isLoopback }:
      FinderSetup = {},
  ): Promise<Finder> {
    const finder = new Finder();
    const toml = `[upstream]\nnameserver = "${dns.address}:${dns.port}"\n` +
      `ca = "${authorityFile}"\n${upstream}`;
    const config = configOf(toml);
    const connector = tcpConnector({
      settings: (domain) => findDomain(config, domain),
      limits: () => config.limits,
      clock,
      emit: (event) => finder.events.push(event),
      random,
      mayDial,
    });
    finder.#running = await runManager({ toml, connector });
    return finder;
  }

  /** Sessions there are. */
  get sessions(): number {
    return this.#running.manager.sessions;
  }

  /** The answer to a client that wants a session with the domain; `more`: attributes of its own. */
  create(domain = "example.test", more = ""): Promise<BoshResponse> {
    const client = new BoshClient(`${this.#running.url}/http-bind`);
    this.#clients.push(client);
    return client.create(`${CREATION.replace("example.test", domain)} ${more}`);
  }

  /** Where streams came up, with how TLS began. */
  get reached(): string[] {
    return this.events.flatMap((event) =>
      event.type === "upstream-connected" ? [`${event.target} ${event.tls}`] : []
    );
  }

  /** What was tried in vain, with the step that failed. */
  get failed(): string[] {
    return this.events.flatMap((event) =>
      event.type === "upstream-failed" ? [`${event.phase} ${event.target}`] : []
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#running[Symbol.asyncDispose]();
  }
}

/** A server that gives everybody a stream. */
export async function welcomingServer(
  { kind = "clear", hostname = "127.0.0.1", port = 0, certificate = "example.test" }: {
    readonly kind?: "clear" | "starttls" | "direct";
    readonly hostname?: string;
    readonly port?: number;
    readonly certificate?: CertificateName;
  } = {},
): Promise<ScriptedServer> {
  const server = await ScriptedServer.listen({
    certificate,
    direct: kind === "direct",
    hostname,
    port,
  });
  const welcome = async (connection: ScriptedConnection) => {
    await nextHeader(connection);
    if (kind === "starttls") {
      connection.write(streamHeader("clear") + streamFeatures(STARTTLS));
      await connection.startTls();
      await nextHeader(connection);
    }
    connection.write(streamHeader("up") + streamFeatures(MECHANISMS));
  };
  void (async () => {
    for (;;) await welcome(await server.accept()).catch(() => {});
  })();
  return server;
}

export function assertUp({ type, payloads, text }: BoshResponse): void {
  assert.equal(type, undefined, text);
  assert.equal(payloads[0]?.name, "features", text);
}

export function assertFailed({ condition, get, text }: BoshResponse, reason: RegExp): void {
  assert.equal(condition, "remote-connection-failed", text);
  assert.match(get("message") ?? "", reason);
}
