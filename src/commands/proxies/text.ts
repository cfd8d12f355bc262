import { joinHostPort } from "../../config/address.ts";
import type { ProxyPlan } from "./plan.ts";

/** A reverse proxy, as far as its configuration goes. */
export interface ReverseProxy {
  /** How people call it. */
  readonly title: string;
  /** What the path of a unix socket cannot have in its configuration; it is refused. */
  readonly forbidden: RegExp;
  /** The configuration; `origin` says what it was made from. */
  write(plan: ProxyPlan, origin: string): string;
}

/** What the first lines of a configuration say, beside the plan. */
export interface Preface {
  /** What this is. */
  readonly title: string;
  readonly origin: string;
  /** Where it belongs; how it is tested; how it comes into force. */
  readonly install: string;
  readonly test: string;
  readonly apply: string;
  /** What the operator has to change or to look at: lines. */
  readonly change: readonly string[];
  /** The user whom the proxy runs as. */
  readonly user: string;
}

/** The first lines of a configuration, as comments. */
export function preface(plan: ProxyPlan, preface: Preface): string {
  const { backend, remarks } = plan;
  const trust = "unix" in backend
    ? [
      `Causeway believes whoever reaches ${
        oneLine(backend.unix)
      }, so nobody else may. ${preface.user} must be able to`,
      `write to it: with the systemd unit of Causeway, add Group=${preface.user} and UMask=0007 there.`,
    ]
    : [
      `Causeway believes the headers set here if the proxy's address is among http.trusted_proxies, and so it`,
      `believes every program that has this address: on a machine with other users, use a unix socket.`,
    ];
  const lines = [
    `${preface.title}, made by "causeway proxy" from ${oneLine(preface.origin)}.`,
    "Make it anew when that changes.",
    "",
    `  install: ${preface.install}`,
    `  test:    ${preface.test}`,
    `  apply:   ${preface.apply}`,
    "",
    ...preface.change,
    ...trust,
    ...remarks.flatMap((remark) => ["", ...wrapped(`NOTE: ${oneLine(remark)}.`)]),
  ];
  return lines.map((line) => line === "" ? "#\n" : `# ${line}\n`).join("");
}

/** What to know of a proxy that passes bodies on as they come. */
export function slowBodies({ boundsBodies }: ProxyPlan, title: string): string[] {
  return boundsBodies ? [] : [
    `A client may send a body as slowly as it likes, and ${title} passes it on as it comes: write server = "sockets"`,
    "for the listener, which bounds that.",
  ];
}

/** `host:port`, or undefined for a unix socket. */
export function tcpAddress({ backend }: ProxyPlan): string | undefined {
  return "unix" in backend ? undefined : joinHostPort(backend.host, backend.port);
}

/** A regular expression, in the syntax that all proxies share, for the paths of a plan and no others. */
export function pathPattern({ endpoints, documents }: ProxyPlan): string {
  const paths = [...endpoints, ...documents];
  const slashed = (path: string) => paths.includes(`${path}/`);
  const patterns = paths.filter((path) => path === "/" || !path.endsWith("/"))
    .map((path) => `${path.replaceAll(".", "\\.")}${slashed(path) ? "/?" : ""}`);
  return `^(${patterns.join("|")})$`;
}

/** Text that cannot leave its comment. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return /[\x00-\x1f\x7f\x85\u2028\u2029]/.test(text) ? JSON.stringify(text) : text;
}

function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && line.length + word.length > 105) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
