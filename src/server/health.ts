/**
 * What a load balancer and a supervisor ask: whether new clients may come, and whether the process
 * answers at all. The first turns red when no new session is opened, before anything ends.
 */
import type { ServiceState } from "../controls.ts";
import type { Exchange } from "./exchange.ts";
import { type CommonHeaders, preflight, type Route, textAnswer } from "./http.ts";

const METHODS = "GET, HEAD, OPTIONS";

/** 200 as long as there is an answer; 503 for `/health/ready` unless the state is `serving`. */
export function healthRoutes(state: () => ServiceState, common: CommonHeaders): readonly Route[] {
  return [
    { path: "/health/live", handle: (exchange) => answer(exchange, 200, "live") },
    {
      path: "/health/ready",
      handle(exchange) {
        const now = state();
        return now === "serving" ? answer(exchange, 200, "ready") : answer(exchange, 503, now);
      },
    },
  ];

  function answer(exchange: Exchange, status: number, word: string) {
    const headers = common.for(exchange);
    switch (exchange.method) {
      case "GET":
      case "HEAD":
        return textAnswer(status, `${word}\n`, headers);
      case "OPTIONS":
        return preflight(headers, METHODS);
      default:
        return textAnswer(405, `Use one of: ${METHODS}\n`, { ...headers, allow: METHODS });
    }
  }
}
