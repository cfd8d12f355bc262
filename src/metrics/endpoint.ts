import type { HttpConfig } from "../config/config.ts";
import type { Metrics } from "../metrics.ts";
import { CommonHeaders, type Route, textAnswer } from "../server/http.ts";
import { formatFor, MEDIA_TYPES } from "./exposition.ts";

/** The exposition, for Prometheus and its like. */
export function metricsRoute(metrics: Metrics, http: HttpConfig): Route {
  // It is for no page of any origin: whoever reads it with a browser has it opened as a page of its own.
  const common = new CommonHeaders({ ...http, allowedOrigins: [] });
  return {
    path: "/metrics",
    handle(exchange) {
      const headers = common.for(exchange);
      if (exchange.method !== "GET" && exchange.method !== "HEAD") {
        return textAnswer(405, "Use GET.\n", { ...headers, allow: "GET, HEAD" });
      }
      const format = formatFor(exchange.header("accept"));
      return {
        status: 200,
        headers: { ...headers, "content-type": MEDIA_TYPES[format] },
        body: metrics.expose(format),
      };
    },
  };
}
