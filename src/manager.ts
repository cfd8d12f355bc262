import type { Admin } from "./admin/admin.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Config, ListenConfig, Service } from "./config/config.ts";
import { domainKey, findDomain } from "./config/domains.ts";
import type { Controls, ServiceState } from "./controls.ts";
import type { LimitName, ManagerEvent } from "./events.ts";
import { type Endpoint, Meter } from "./meter.ts";
import type { Metrics } from "./metrics.ts";
import { AddressRanges } from "./server/address_ranges.ts";
import { BodyRoom } from "./server/body_room.ts";
import { boshEndpoint } from "./server/bosh_endpoint.ts";
import { withBrowserPage } from "./server/browser_pages.ts";
import { TrustedProxies } from "./server/client_address.ts";
import { discoveryRoutes } from "./server/discovery.ts";
import { healthRoutes } from "./server/health.ts";
import type { Handler } from "./server/exchange.ts";
import { denoFetch, listenDeno } from "./server/front_deno.ts";
import { CommonHeaders, counted, type Route, router, withHeaders } from "./server/http.ts";
import type { Timeouts } from "./server/http_connection.ts";
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
  /** What operators can have done, where a listener serves `admin`; missing: they can look, and end sessions. */
  readonly controls?: Controls;
  /** Served beside the endpoints, on every listener; what they return gets `http.headers` too. */
  readonly pages?: readonly Route[];
}

/** Deno would read at once all that an `import` names itself; `.ci/program.ts` tells the compiler of it. */
const ADMIN: string = "./admin/admin.ts";

/**
 * A connection manager: the parts, put together. Mount `fetch` wherever `Deno.serve` handlers go,
 * or take a `handler` for a listener that serves only some of it.
 */
export class ConnectionManager implements AsyncDisposable {
  /** A `Deno.serve` handler that serves everything. */
  readonly fetch: (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>;
  readonly #registry: Registry;
  readonly #limits: LimitReports;
  readonly #bodies: BodyRoom;
  readonly #connector: Connector;
  readonly #pages: readonly Route[];
  /** Of answers that are no endpoint's. */
  readonly #common: CommonHeaders;
  readonly #timeouts: Timeouts;
  readonly #clock: Clock;
  readonly #emit: (event: ManagerEvent) => void;
  readonly #meter: Meter;
  /** `undefined` until somebody wants them. */
  #metrics: Metrics | undefined;
  /** What {@link reconfigure} replaces, whole. */
  #parts: Parts;
  readonly #controls: Controls | undefined;
  /** `undefined`: no listener serves it. */
  #admin: Admin | undefined;
  readonly #listeners: { readonly url: string; readonly serve: Service[] }[] = [];
  readonly #fronts: Listener[] = [];

  constructor(options: ManagerOptions) {
    const { config, clock = systemClock } = options;
    this.#meter = new Meter(clock);
    this.#emit = (event) => {
      this.#meter.note(event);
      this.#admin?.watch(event);
      options.onEvent?.(event);
    };
    this.#clock = clock;
    this.#controls = options.controls;
    this.#common = new CommonHeaders(config.http);
    this.#timeouts = { ...config.http };
    this.#pages = options.pages ?? [];
    this.#limits = new LimitReports(clock, this.#emit);
    this.#bodies = new BodyRoom(config.limits.bodies);
    const limits = () => this.#parts.config.limits;
    const group = controlGroupCeiling();
    const memory = new MemoryCeiling({
      ceiling: (resident) => limits().memory ?? group(resident),
      clock,
      measure: memoryUse,
    });
    const isExempt = (address: string) => this.#parts.proxies.trusts({ address, port: 0 });
    this.#registry = new Registry(new SessionLimits({ limits, clock, memory, isExempt }), clock);
    const builtIn = () =>
      tcpConnector({
        settings: (domain) => findDomain(this.#parts.config, domainKey(domain) ?? domain),
        limits,
        onLimit: (limit, address) => this.#limits.met(limit, address),
        clock,
        emit: this.#emit,
        meter: this.#meter,
        random: Math.random,
      });
    const given = options.connector;
    const chosen = typeof given === "function" ? given(builtIn()) : given ?? builtIn();
    const isTraced = (address: string) => this.#parts.traced.has(address);
    this.#connector = tracingConnector(chosen, isTraced, this.#emit);
    this.#parts = this.#partsOf(config);
    const everything: Service[] = ["bosh", "websocket", "discovery", "health"];
    const onFault = (error: unknown) => this.fault(error);
    this.fetch = denoFetch(this.handler(everything), {
      common: this.#common,
      clock,
      onFault,
    });
  }

  /** What a listener with these services answers, also after the configuration has been replaced. */
  handler(services: readonly Service[]): Handler {
    let parts: Parts | undefined;
    let handle: Handler;
    return (exchange) => {
      if (parts !== this.#parts) handle = this.#router(parts = this.#parts, services);
      return handle(exchange);
    };
  }

  /** Opens a listener; rejects with what the platform says when it cannot. */
  async listen(listen: ListenConfig): Promise<Listener> {
    if (listen.serve.includes("metrics")) await this.metrics();
    if (listen.serve.includes("admin")) await this.#openAdmin();
    const listener = await this.#open(listen);
    this.#listeners.push({ url: listener.url, serve: [...listen.serve] });
    this.#fronts.push(listener);
    return listener;
  }

  async #open(listen: ListenConfig): Promise<Listener> {
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
      timeouts: this.#timeouts,
      common,
      clock,
      trusts: (peer) => this.#parts.proxies.trusts(peer),
      onLimit: (limit, address) => this.#limits.met(limit, address),
      onHandshakeFailed: (failure) => this.#emit({ type: "handshake-failed", ...failure }),
      onFault,
    });
  }

  /**
   * Takes another configuration, whole: what comes from here on is served by it, and sessions that are
   * there keep what they were opened with. Listeners stay as they are.
   */
  reconfigure(config: Config): void {
    const parts = this.#partsOf(config);
    this.#parts = parts;
    this.#common.replace(config.http);
    Object.assign(this.#timeouts, config.http);
    this.#bodies.size = config.limits.bodies;
  }

  /** What is in force. */
  get config(): Config {
    return this.#parts.config;
  }

  /** To be told of a mistake of ours that no session could be blamed for. */
  fault(error: unknown): void {
    this.#emit({ type: "fault", session: undefined, error });
  }

  /**
   * All that is measured. What this takes is loaded with the first call; from then on requests are timed,
   * and before it they are only counted.
   */
  async metrics(): Promise<Metrics> {
    const { Metrics } = await import("./metrics.ts");
    if (this.#metrics === undefined) {
      this.#metrics = new Metrics({
        meter: this.#meter,
        registry: this.#registry,
        limits: this.#limits,
        listeners: this.#fronts,
        config: () => this.config,
      });
      this.#parts = this.#partsOf(this.config);
    }
    return this.#metrics;
  }

  /** How often each limit has bitten since the beginning; those that never did are missing. */
  get limitsReached(): ReadonlyMap<LimitName, number> {
    return this.#limits.totals;
  }

  /** Sessions there are now. */
  get sessions(): number {
    return this.#registry.size;
  }

  /** Whether new sessions are opened, and whether those that are there go on. */
  get state(): ServiceState {
    return this.#registry.state;
  }

  /** Opens no new session from here on, and says so to whoever asks whether it is ready. */
  drain(): void {
    this.#registry.drain();
  }

  /** Takes {@link drain} back, if it is not too late. */
  undrain(): void {
    this.#registry.undrain();
  }

  /** Ends every session with `system-shutdown`, and settles when the last one is gone. */
  async shutdown(): Promise<void> {
    await this.#registry.shutdown();
    this.#admin?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** Loads and begins what a listener serves as `admin`. */
  async #openAdmin(): Promise<void> {
    const { openAdmin }: typeof import("./admin/admin.ts") = await import(ADMIN);
    const metrics = await this.metrics();
    if (this.#admin !== undefined) return;
    this.#admin = openAdmin({
      config: () => this.config,
      clock: this.#clock,
      registry: this.#registry,
      controls: this.#controls,
      listeners: this.#listeners,
      meter: this.#meter,
      families: () => metrics.families(),
      emit: this.#emit,
    });
    this.#parts = this.#partsOf(this.config);
  }

  #partsOf(config: Config): Parts {
    const proxies = new TrustedProxies(config.http);
    const shell: SessionShell = {
      config,
      clock: this.#clock,
      connector: this.#connector,
      registry: this.#registry,
      limits: this.#limits,
      bodies: this.#bodies,
      proxies,
      meter: this.#meter,
      emit: this.#emit,
    };
    const common = new CommonHeaders(config.http);
    return {
      config,
      proxies,
      meter: this.#meter,
      traced: new AddressRanges(config.log.trace),
      routes: {
        bosh: this.#counted("bosh", [{ path: config.bosh.path, handle: boshEndpoint(shell) }]),
        websocket: this.#counted("websocket", [
          { path: config.websocket.path, handle: websocketEndpoint(shell) },
        ]),
        discovery: this.#counted("discovery", discoveryRoutes(shell)),
        health: this.#counted("health", healthRoutes(() => this.state, common)),
        metrics: this.#counted(
          "metrics",
          this.#metrics === undefined ? [] : [this.#metrics.route(config.http)],
        ),
        admin: this.#counted("admin", this.#admin?.routes(config, proxies) ?? []),
      },
    };
  }

  #counted(endpoint: Endpoint, routes: readonly Route[]): Route[] {
    return routes.map((route) => ({
      ...route,
      handle: counted(endpoint, this.#meter, route.handle),
    }));
  }

  #router(parts: Parts, services: readonly Service[]): Handler {
    const { config, routes } = parts;
    const { headers } = config.http;
    const pages = this.#counted("page", this.#pages.map((page) => withHeaders(page, headers)));
    const shown = (route: Route) => withBrowserPage(route, parts, services);
    const served = services.flatMap((service) =>
      service === "bosh" || service === "websocket" ? routes[service].map(shown) : routes[service]
    );
    const shared = sharedPath(routes, services).map(shown);
    return router([...pages, ...served, ...shared], this.#common, this.#meter);
  }
}

/** What a configuration comes to. */
interface Parts {
  readonly config: Config;
  readonly proxies: TrustedProxies;
  readonly meter: Meter;
  /** Whose stanzas are told. */
  readonly traced: AddressRanges;
  readonly routes: Routes;
}

type Routes = Readonly<Record<Service, readonly Route[]>>;

/** The BOSH path takes a WebSocket handshake too, so that one address is enough for a client. */
function sharedPath(routes: Routes, services: readonly Service[]): Route[] {
  if (!services.includes("bosh") || !services.includes("websocket")) return [];
  const [bosh] = routes.bosh;
  const [websocket] = routes.websocket;
  if (!bosh || !websocket) return [];
  return [{
    path: bosh.path,
    handle: (exchange) => (wantsWebSocket(exchange) ? websocket : bosh).handle(exchange),
  }];
}
