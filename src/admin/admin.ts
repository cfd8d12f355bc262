/** The operator's side: everything below `admin.path`, for whoever is logged in. */
import type { Config } from "../config/config.ts";
import type { EventSink } from "../events.ts";
import type { TrustedProxies } from "../server/client_address.ts";
import type { Handler } from "../server/exchange.ts";
import type { Route } from "../server/http.ts";
import { type Adapting, fetching } from "./adapter.ts";
import { Gate } from "./gate.ts";
import { Logins } from "./logins.ts";
import { adminPage } from "./page/page.ts";
import { restApi, type Surroundings } from "./rest.ts";
import { AdminService, type ServiceOptions } from "./service.ts";

export interface Admin {
  /** What listeners serve by this configuration. */
  routes(config: Config, proxies: TrustedProxies): readonly Route[];
  /** To be told of all that happens. */
  readonly watch: EventSink;
  /** Nothing is counted any more. */
  stop(): void;
}

/**
 * GraphQL costs 9 MiB of memory, so its libraries are loaded when somebody asks by it. Deno would read
 * at once all that an `import` names itself.
 */
const GRAPHQL: string = "./graphql.ts";

/** Begins to gather what operators ask for. */
export function openAdmin(options: ServiceOptions): Admin {
  const service = new AdminService(options);
  const { meter } = options;
  const logins = new Logins(options.clock, options.emit);
  const onFault = (error: unknown) => options.emit({ type: "fault", session: undefined, error });
  return {
    routes: (config, proxies) =>
      adminRoutes(config, new Gate({ config, proxies, logins }), service, { onFault, meter }),
    watch: service.watch,
    stop: () => service.stop(),
  };
}

function adminRoutes(
  config: Config,
  gate: Gate,
  service: AdminService,
  adapting: Adapting,
): Route[] {
  const { onFault } = adapting;
  const { path } = config.admin;
  const root = path === "/" ? "" : path;
  const base = `${root}/api/v1`;
  const graphql = `${root}/graphql`;
  const rest = restApi(base, service, onFault);
  const restHandler = fetching(gate, adapting, async (request, address) => {
    const surroundings: Surroundings = { address };
    const response = await rest.fetch(request, surroundings);
    return { response, source: surroundings.source };
  });
  const graphqlHandler = fetching(gate, adapting, async (request, address) => {
    const { answerGraphql }: typeof import("./graphql.ts") = await import(GRAPHQL);
    return { response: await answerGraphql(request, { service, config, address, onFault }) };
  });
  const page = adminPage(root, gate);
  const inside: Handler = (exchange) => {
    const at = exchange.path.replace(/\/$/, "");
    if (at === base || at.startsWith(`${base}/`)) return restHandler(exchange);
    if (at === graphql) return graphqlHandler(exchange);
    return page(exchange);
  };
  const route: Route = {
    path,
    below: true,
    handle(exchange) {
      const admitted = gate.admits(exchange);
      return admitted === true ? inside(exchange) : admitted;
    },
  };
  return [route];
}
