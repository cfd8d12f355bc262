/** What a reverse proxy has to know of a configuration, whichever proxy it is. */
import { isLoopback, joinHostPort } from "../../config/address.ts";
import type { Config, ListenConfig, Service } from "../../config/config.ts";
import { domainKey } from "../../config/domains.ts";
import { AddressRanges } from "../../server/address_ranges.ts";
import { linksOf } from "../../server/discovery.ts";

export interface ProxyPlan {
  /** Where Causeway is reached. */
  readonly backend:
    | { readonly host: string; readonly port: number }
    | { readonly unix: string };
  /** Paths of BOSH and WebSocket, as a client may write them. Empty: neither is served there. */
  readonly endpoints: readonly string[];
  /** Paths of host-meta. */
  readonly documents: readonly string[];
  /** Whether BOSH is among them, and whether it takes requests by GET. */
  readonly bosh: boolean;
  readonly script: boolean;
  /** The names that clients come by; the first has no wildcard. */
  readonly name: string;
  readonly names: readonly string[];
  /** Seconds that the proxy waits for an answer. */
  readonly patience: number;
  /** Seconds that a WebSocket may be silent. */
  readonly silence: number;
  /** Seconds that the proxy keeps a connection to Causeway that it does not use; 0: none. */
  readonly spare: number;
  /** Bytes of a request's body that Causeway takes. */
  readonly maxBody: number;
  /** Whether Causeway bounds how long a body may take. */
  readonly boundsBodies: boolean;
  /** Sentences that the operator should read. */
  readonly remarks: readonly string[];
}

/** What the proxy of a configuration is to do, or a sentence that says why there can be none. */
export function planProxy(config: Config): ProxyPlan | string {
  const listen = chooseListener(config.listen);
  if (typeof listen === "string") return listen;
  const { bosh, websocket, http } = config;
  const serves = (service: Service) => listen.serve.includes(service);
  const endpoints: string[] = [];
  for (const [service, path] of [["bosh", bosh.path], ["websocket", websocket.path]] as const) {
    if (!serves(service)) continue;
    if (!isPlain(path)) {
      return `${service}.path is ${
        JSON.stringify(path)
      }, and proxies rewrite such paths, each in ` +
        `its own way; write one of letters, digits and "-", "_", "~", ".", such as "/${service}"`;
    }
    endpoints.push(...path === "/" ? [path] : [path, `${path}/`]);
  }
  const names = namesOf(config);
  const seconds = (ms: number) => Math.ceil(ms / 1000);
  const { pingInterval, idleTimeout } = websocket;
  return {
    backend: "unix" in listen.at ? listen.at : backendOf(listen.at),
    endpoints: [...new Set(endpoints)],
    documents: serves("discovery") ? ["/.well-known/host-meta", "/.well-known/host-meta.json"] : [],
    bosh: serves("bosh"),
    script: serves("bosh") && bosh.script,
    ...names,
    // The answer to the first request may come after ten seconds, however short the wait.
    patience: Math.max(seconds(bosh.maxWait), 10) + MARGIN,
    silence: pingInterval > 0
      ? 2 * seconds(pingInterval) + MARGIN
      : idleTimeout > 0
      ? seconds(idleTimeout) + MARGIN
      : LONG_SILENCE,
    spare: Math.min(60, Math.floor(http.keepaliveTimeout * 0.75 / 1000)),
    maxBody: http.maxBody,
    boundsBodies: listen.server === "sockets",
    remarks: [
      ...names.remarks,
      ...remarksOnTrust(listen, config),
      ...remarksOnServices(listen, config),
      ...remarksOnLinks(names.names, config),
      ...serves("websocket") && pingInterval === 0 && idleTimeout === 0
        ? [
          `websocket.ping_interval is 0: a proxy may end a WebSocket that was silent for ${LONG_SILENCE} s`,
        ]
        : [],
    ],
  };
}

/** Seconds that a proxy waits longer than Causeway may take. */
const MARGIN = 30;
/** Seconds of silence after which a WebSocket is ended whose liveness nobody looks at. */
const LONG_SILENCE = 3_600;
/** What stands for the operator's own name. */
const PLACEHOLDER = "example.org";

/** A listener that says where it is. */
type Reachable = ListenConfig & {
  readonly at: Exclude<ListenConfig["at"], { readonly fd: number }>;
};

/** What clients come for; the rest is the operator's, and no proxy passes it on. */
function forClients({ serve }: ListenConfig): Service[] {
  return serve.filter((service) => ["bosh", "websocket", "discovery"].includes(service));
}

/** The listener that a proxy can use and that serves most, the first of several. */
function chooseListener(listeners: readonly ListenConfig[]): Reachable | string {
  const usable = listeners.filter((listen): listen is Reachable => whyNot(listen) === undefined);
  // The order stays among equals.
  const [best] = usable.toSorted((a, b) => forClients(b).length - forClients(a).length);
  return best ??
    `there is no listener for a proxy: ${
      listeners.map(whyNot).join("; ")
    }. Add one to the configuration, such as [[listen]] with unix = "/run/causeway/http.sock", or name it with --listen`;
}

function whyNot({ at, tls }: ListenConfig): string | undefined {
  if ("fd" in at) return `fd ${at.fd} does not say where it listens`;
  if ("unix" in at) {
    if (tls !== undefined) return `${at.unix} has TLS, which clients do not need behind a proxy`;
    return at.unix.startsWith("/") ? undefined : `${JSON.stringify(at.unix)} is no absolute path`;
  }
  const where = joinHostPort(at.address, at.port);
  if (tls !== undefined) return `${where} has TLS of its own, so clients reach it without a proxy`;
  return at.port === 0 ? `${where} is another port at every start` : undefined;
}

/** Where a listener on an address is reached from its own machine. */
function backendOf({ address, port }: { readonly address: string; readonly port: number }) {
  // What is on every address is on loopback too, and "::" is IPv4 as well.
  const everywhere = ["0.0.0.0", "::", "localhost"].includes(address);
  return { host: everywhere ? "127.0.0.1" : address, port };
}

/** Whether every proxy takes a path for what it is: no escapes, nothing that is a pattern somewhere. */
function isPlain(path: string): boolean {
  return path === "/" ||
    /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/.test(path);
}

/** The names of the domains, for host-meta, and those that host-meta sends clients to. */
function namesOf(config: Config): Pick<ProxyPlan, "name" | "names" | "remarks"> {
  const domains = [...config.domains.keys()].filter((pattern) => pattern !== "*");
  const hosts = publicUrls(config).flatMap(({ hostname }) => domainKey(hostname) ?? []);
  const names = [...new Set([...domains, ...hosts])]
    .toSorted((a, b) => Number(a.startsWith("*")) - Number(b.startsWith("*")));
  const [first] = names;
  if (first === undefined) {
    const remark = `no domain is named in the configuration: replace ${PLACEHOLDER} by yours`;
    return { name: PLACEHOLDER, names: [PLACEHOLDER], remarks: [remark] };
  }
  const everyone = config.domains.size === 0 || config.domains.has("*");
  return {
    name: first.replace(/^\*\./, ""),
    names,
    remarks: everyone
      ? [`every domain is served: add the names of those that are not named yet`]
      : [],
  };
}

/** Where host-meta sends clients, as far as the operator says so. */
function publicUrls({ upstream, domains }: Config): URL[] {
  const all = domains.size === 0 ? [upstream] : [...domains.values()];
  const urls = all.flatMap(({ boshUrl, websocketUrl }) =>
    [boshUrl ?? [], websocketUrl ?? []].flat()
  );
  return [...new Set(urls)].map((url) => new URL(url));
}

function remarksOnTrust({ at }: Reachable, { http }: Config): string[] {
  if ("unix" in at) return [];
  const remarks: string[] = [];
  const { address, port } = at;
  const outside = !isLoopback(address);
  if (outside) {
    remarks.push(
      `${joinHostPort(address, port)} is reached without the proxy too, and without TLS: ` +
        `let Causeway listen on 127.0.0.1 or on a unix socket, or keep others away by a firewall`,
    );
  }
  // Who connects to any 127.x.x.x, or to an address of his own machine, comes from 127.0.0.1, or from that address.
  const { host } = backendOf(at);
  const peer = isLoopback(host) && !host.includes(":") ? "127.0.0.1" : host;
  if (!new AddressRanges(http.trustedProxies).has(peer)) {
    const where = outside ? "; if the proxy is on another machine, its address there" : "";
    remarks.push(
      `http.trusted_proxies does not have ${peer}, so Causeway takes the proxy for the only client and tells ` +
        `nobody host-meta: write trusted_proxies = ["${peer}"] in [http]${where}`,
    );
  }
  return remarks;
}

function remarksOnServices(chosen: ListenConfig, { listen }: Config): string[] {
  const missing = listen.flatMap(forClients)
    .filter((service) => !chosen.serve.includes(service));
  return missing.length === 0 ? [] : [
    `the listener that the proxy uses does not serve ${
      [...new Set(missing)].join(" and ")
    }, and others do: ` +
    `add that to its key serve`,
  ];
}

function remarksOnLinks(names: readonly string[], config: Config): string[] {
  const own = new Set(
    names.flatMap((name) =>
      (linksOf(config, { boshUrl: undefined, websocketUrl: undefined }, name) ?? [])
        .map(({ href }) => href)
    ),
  );
  return publicUrls(config).map(({ href }) => href).filter((href) =>
    !own.has(href) && !own.has(href.replace(/\/$/, ""))
  ).map((href) =>
    `host-meta sends clients to ${href}, which is not among what this proxy passes on`
  );
}
