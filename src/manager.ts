import { type Clock, systemClock } from "./clock.ts";
import type { Config, ListenConfig, Service } from "./config/config.ts";
import { domainKey, findDomain } from "./config/domains.ts";
import type { LimitName, ManagerEvent } from "./events.ts";
import { AddressRanges } from "./server/address_ranges.ts";
import { BodyRoom } from "./server/body_room.ts";
import { boshEndpoint } from "./server/bosh_endpoint.ts";
import { TrustedProxies } from "./server/client_address.ts";
import { discoveryRoutes } from "./server/discovery.ts";
import type { Handler } from "./server/exchange.ts";
import { denoFetch, listenDeno } from "./server/front_deno.ts";
import { CommonHeaders, type Route, router, withHeaders } from "./server/http.ts";
import { LimitReports } from "./server/limit_reports.ts";
import type { Listener } from "./server/listener.ts";
import { MemoryCeiling } from "./server/memory_guard.ts";
import { controlGroupCeiling, memoryUse } from "./server/process_memory.ts";
import { Registry } from "./server/registry.ts";
import { SessionLimits } from "./server/session_limits.ts";
import type { SessionShell } from "./server/session_shell.ts";
import { wantsWebSocket, websocketEndpoint } from "./server/websocket_endpoint.ts";
import type { Connector } from "./upstream/connector.ts";
import { tcpConnector } from "./upstream/tcp_connector.ts";
import { tracingConnector } from "./upstream/tracing.ts";

export interface ManagerOptions {
  readonly config: Config;
  /**
   * What opens upstream streams; by default XMPP over TCP, as configured. A function is given that
   * one, to watch or change what goes through it.
   */
  readonly connector?: Connector | ((builtIn: Connector) => Connector);
  /** Hears of everything that happens; must not throw. */
  readonly onEvent?: (event: ManagerEvent) => void;
  readonly clock?: Clock;
  /** Served beside the endpoints, on every listener; what they return gets `http.headers` too. */
  readonly pages?: readonly Route[];
}

/**
 * A connection manager: the parts, put together. Mount `fetch` wherever `Deno.serve` handlers go,
 * or take a `handler` for a listener that serves only some of it.
 */
export class ConnectionManager implements AsyncDisposable {
  /** A `Deno.serve` handler that serves everything. */
  readonly fetch: (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>;
  readonly #registry: Registry;
  readonly #limits: LimitReports;
  readonly #routes: Readonly<Record<Service, readonly Route[]>>;
  readonly #pages: readonly Route[];
  readonly #proxies: TrustedProxies;
  readonly #http: Config["http"];
  /** Of answers that are no endpoint's. */
  readonly #common: CommonHeaders;
  readonly #clock: Clock;
  readonly #emit: (event: ManagerEvent) => void;

  constructor(options: ManagerOptions) {
    const { config, clock = systemClock, onEvent = () => {} } = options;
    this.#emit = onEvent;
    this.#clock = clock;
    this.#http = config.http;
    this.#common = new CommonHeaders(config.http);
    this.#proxies = new TrustedProxies(config.http);
    this.#pages = (options.pages ?? []).map((page) => withHeaders(page, config.http.headers));
    const limits = new LimitReports(clock, onEvent);
    this.#limits = limits;
    const most = config.limits.memory;
    const memory = new MemoryCeiling({
      ceiling: most === undefined ? controlGroupCeiling() : () => most,
      clock,
      measure: memoryUse,
    });
    const isExempt = (address: string) => this.#proxies.trusts({ address, port: 0 });
    const sessionLimits = new SessionLimits({ limits: config.limits, clock, memory, isExempt });
    this.#registry = new Registry(sessionLimits, clock);
    const builtIn = () =>
      tcpConnector({
        settings: (domain) => findDomain(config, domainKey(domain) ?? domain),
        limits: config.limits,
        onLimit: (limit, address) => limits.met(limit, address),
        clock,
        emit: onEvent,
        random: Math.random,
      });
    const given = options.connector;
    const chosen = typeof given === "function" ? given(builtIn()) : given ?? builtIn();
    const traced = new AddressRanges(config.log.trace);
    const connector = config.log.trace.length === 0
      ? chosen
      : tracingConnector(chosen, (address) => traced.has(address), onEvent);
    const shell: SessionShell = {
      config,
      clock,
      connector,
      registry: this.#registry,
      limits,
      bodies: new BodyRoom(config.limits.bodies),
      proxies: this.#proxies,
      emit: onEvent,
    };
    const websocket = websocketEndpoint(shell);
    const bosh = boshEndpoint(shell);
    this.#routes = {
      bosh: [{ path: config.bosh.path, handle: bosh }],
      websocket: [{ path: config.websocket.path, handle: websocket }],
      discovery: discoveryRoutes(shell),
      health: [],
      metrics: [],
      admin: [],
    };
    const everything: Service[] = ["bosh", "websocket", "discovery"];
    const onFault = (error: unknown) => this.fault(error);
    this.fetch = denoFetch(this.handler(everything), {
      common: this.#common,
      clock,
      onFault,
    });
  }

  /** What a listener with these services answers. */
  handler(services: readonly Service[]): Handler {
    const routes = services.flatMap((service) => this.#routes[service]);
    return router([...this.#pages, ...routes, ...this.#sharedPath(services)], this.#common);
  }

  /** Opens a listener; rejects with what the platform says when it cannot. */
  async listen(listen: ListenConfig): Promise<Listener> {
    const handle = this.handler(listen.serve);
    const common = this.#common;
    const onFault = (error: unknown) => this.fault(error);
    const clock = this.#clock;
    if (listen.server === "deno") {
      return await listenDeno(listen, handle, { common, clock, onFault });
    }
    // With it come two codecs and `node:net`, for nothing where Deno's own server does all.
    const { listenSockets } = await import("./server/front_sockets.ts");
    return await listenSockets(listen, handle, {
      timeouts: this.#http,
      common,
      clock,
      trusts: (peer) => this.#proxies.trusts(peer),
      onLimit: (limit, address) => this.#limits.met(limit, address),
      onHandshakeFailed: (failure) => this.#emit({ type: "handshake-failed", ...failure }),
      onFault,
    });
  }

  /** To be told of a mistake of ours that no session could be blamed for. */
  fault(error: unknown): void {
    this.#emit({ type: "fault", session: undefined, error });
  }

  /** How often each limit has bitten since the beginning; those that never did are missing. */
  get limitsReached(): ReadonlyMap<LimitName, number> {
    return this.#limits.totals;
  }

  /** Sessions there are now. */
  get sessions(): number {
    return this.#registry.size;
  }

  /** Ends every session with `system-shutdown`, and settles when the last one is gone. */
  shutdown(): Promise<void> {
    return this.#registry.shutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** The BOSH path takes a WebSocket handshake too, so that one address is enough for a client. */
  #sharedPath(services: readonly Service[]): Route[] {
    if (!services.includes("bosh") || !services.includes("websocket")) return [];
    const [bosh] = this.#routes.bosh;
    const [websocket] = this.#routes.websocket;
    if (!bosh || !websocket) return [];
    return [{
      path: bosh.path,
      handle: (exchange) => (wantsWebSocket(exchange) ? websocket : bosh).handle(exchange),
    }];
  }
}
