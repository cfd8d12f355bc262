import type { Service } from "../config/config.ts";
import type { Exchange } from "./exchange.ts";
import { CommonHeaders, type Route } from "./http.ts";
import { isScriptRequest } from "./script_syntax.ts";
import type { SessionShell } from "./session_shell.ts";
import { wantsWebSocket } from "./websocket_endpoint.ts";

/**
 * The cookie of a browser that was let in to the admin page, and no secret: it brings a link there,
 * and whoever follows that is asked for the password all the same.
 */
export const OPERATOR_COOKIE = "causeway-operator=1";

/**
 * Has browsers see a page that says what this is where clients have an endpoint; programs get the
 * endpoint's own line of text, and requests by GET its answer. `services` are those of the listener:
 * the page has the way to the admin page only where that is served too.
 */
export function withBrowserPage(
  { path, handle }: Route,
  { config, proxies, meter }: Pick<SessionShell, "config" | "meter" | "proxies">,
  services: readonly Service[],
): Route {
  const common = new CommonHeaders(config.http);
  return {
    path,
    handle(exchange) {
      if (exchange.method !== "GET" || !isNavigation(exchange)) return handle(exchange);
      // What it depends on is there while the handler has the word.
      const target = proxies.target(exchange);
      const isOperator = services.includes("admin") && isFromOperator(exchange);
      const headers = common.for(exchange);
      const options = { config, services, path, target, isOperator };
      import("./browser_page.ts").then(({ browserPage }) => {
        meter.served("page", 200);
        exchange.respond(browserPage(options, headers));
      });
      return undefined;
    },
  };
}

/** Whether somebody looks at this address with a browser. */
function isNavigation(exchange: Exchange): boolean {
  return exchange.header("accept")?.includes("text/html") === true &&
    !isScriptRequest(exchange.query) && !wantsWebSocket(exchange);
}

/** Pages of other origins that may read this answer are not told who is an operator. */
function isFromOperator(exchange: Exchange): boolean {
  return exchange.header("origin") === undefined &&
    exchange.header("cookie")?.split(/; */).includes(OPERATOR_COOKIE) === true;
}
