/** What to do where BOSH is not what answers, or gives no session. */
import { textContent } from "../../protocol/xml/text.ts";
import type { Element } from "./elements.ts";
import { childrenOf } from "./offers.ts";
import { answererOf, valuesOf, type WebAnswer } from "./web.ts";

/** What answered there is no BOSH. */
export function notBosh(answer: WebAnswer, origin: string): [detail: string, cure: string] {
  const { status } = answer;
  const who = answererOf(answer);
  const location = valuesOf(answer, "location")[0] ?? "nowhere";
  if (status >= 300 && status < 400) {
    return [
      `status ${status}, which sends to ${location}`,
      `clients do not follow: use that address`,
    ];
  }
  switch (status) {
    case 403:
      return [
        `status 403, answered by ${who}`,
        `add "${origin}" to http.allowed_origins, or see the proxy's rules`,
      ];
    case 404:
    case 405:
      return [
        `status ${status}, answered by ${who}`,
        "correct the path: bosh.path of Causeway (/http-bind) and the proxy's location for it must be the same",
      ];
    case 413:
      return [
        `status 413, answered by ${who}`,
        "allow larger requests (nginx: client_max_body_size)",
      ];
    case 502:
    case 503:
    case 504:
      return [
        `status ${status}, answered by ${who}: it does not reach Causeway`,
        "see whether Causeway runs, and whether the proxy has the address that it listens on",
      ];
  }
  return [
    `status ${status}, answered by ${who}, and no <body/> of BOSH in it`,
    "that address is not Causeway's: correct it, or the proxy's location for it",
  ];
}

/** A session that was refused, or ended. */
export function refused(
  { root, children }: Element,
  domain: string,
): [detail: string, cure: string] {
  const condition = root.attributes.get("condition") ?? "without a condition";
  const message = root.attributes.get("message");
  const inner = children.flatMap((child) => child.name === "error" ? childrenOf(child) : []);
  const said = inner.map(({ name, bytes }) => name === "text" ? textContent(bytes) : name);
  const detail = [condition, message, ...said].filter((part) => part !== undefined).join(": ");
  switch (condition) {
    case "host-unknown":
      return [
        `${domain} is not served there (${detail})`,
        `add [domains."${domain}"] to Causeway's configuration, or correct the name`,
      ];
    case "remote-connection-failed":
      return [
        detail,
        "Causeway does not reach the XMPP server; the lines about it say why, and so does Causeway's log",
      ];
    case "remote-stream-error":
      return [
        detail,
        `the XMPP server refused the stream: see its log, and whether it serves ${domain}`,
      ];
    case "policy-violation":
      return [detail, "a limit of Causeway's was met; the message names it"];
  }
  return [detail, "Causeway's log says more"];
}
