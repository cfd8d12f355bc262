/** Whether a page of another origin may read an answer (the Fetch standard, CORS). */
import { answererOf, valuesOf, type WebHead } from "./web.ts";

const ALLOW = "access-control-allow-origin";

/** What is wrong for a page of `origin`; `undefined`: it may read the answer. */
export function corsFault(
  head: WebHead,
  origin: string,
): { readonly detail: string; readonly cure: string } | undefined {
  const values = valuesOf(head, ALLOW).flatMap((value) => value.split(",")).map((value) =>
    value.trim()
  );
  const [value, ...others] = values;
  if (value === undefined) {
    return {
      detail: `no Access-Control-Allow-Origin (status ${head.status}, answered by ${
        answererOf(head)
      }), so browsers hide the answer from pages of ${origin}`,
      cure:
        `have the proxy pass Causeway's own header on, and add "${origin}" to http.allowed_origins if that is set`,
    };
  }
  if (others.length > 0) {
    return {
      detail: `Access-Control-Allow-Origin is doubled (${
        values.join(", ")
      }), and browsers refuse that`,
      cure:
        "Causeway sets it: take it out of the proxy (nginx: add_header Access-Control-Allow-Origin), " +
        "or have the proxy drop Causeway's (proxy_hide_header); causeway proxy NAME prints a configuration without",
    };
  }
  if (value === "*" || value === origin) return undefined;
  return {
    detail: `Access-Control-Allow-Origin is for ${value} and not for ${origin}`,
    cure: `add "${origin}" to http.allowed_origins, and have the proxy set no such header itself`,
  };
}

/** What is wrong with the answer to a preflight for a POST of BOSH. */
export function preflightFault(
  head: WebHead,
  origin: string,
): { readonly detail: string; readonly cure: string } | undefined {
  if (head.status < 200 || head.status > 299) {
    return {
      detail: `the preflight (OPTIONS) is answered ${head.status} by ${answererOf(head)}`,
      cure: "have the proxy pass OPTIONS on to Causeway, which answers it",
    };
  }
  const fault = corsFault(head, origin);
  if (fault !== undefined) return fault;
  const allowed = valuesOf(head, "access-control-allow-headers").join(",").toLowerCase();
  const names = allowed.split(",").map((name) => name.trim());
  if (names.includes("content-type") || names.includes("*")) return undefined;
  return {
    detail:
      "the preflight does not allow the header Content-Type, without which BOSH cannot be sent",
    cure: "have the proxy pass OPTIONS on to Causeway, which allows it",
  };
}
