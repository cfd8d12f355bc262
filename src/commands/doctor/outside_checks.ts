/** From where clients are: host-meta, CORS, BOSH and WebSocket, through whatever is in front. */
import type { Config } from "../../config/config.ts";
import { BoshProbe } from "./bosh_checks.ts";
import { describeCertificate, endsSoon, webCertificate } from "./certificate.ts";
import { corsFault, preflightFault } from "./cors.ts";
import { readElement } from "./elements.ts";
import type { Check, Report } from "./report.ts";
import { answererOf, ask, valuesOf, type WebAnswer, WebConnection, WebError } from "./web.ts";
import { WebSocketProbe } from "./websocket_checks.ts";
import type { World } from "./world.ts";

/** Looks at what clients find at an address: an origin, or a whole address of BOSH or of WebSocket. */
export async function checkOutside(
  domain: string,
  address: URL,
  config: Config,
  quick: boolean,
  world: World,
  report: Report,
): Promise<void> {
  const links = await checkHostMeta(domain, address, world, report);
  const addresses = addressesOf(address, links, config);
  if (!await checkReach(addresses.bosh, world, report)) return;

  const origin = originOf(domain, config);
  await checkPreflight(addresses.bosh, origin, world, report);
  const wait = config.bosh.maxWait / 1_000;
  const common = { domain, origin, world, report };
  const bosh = await BoshProbe.create({ ...common, url: addresses.bosh, wait });
  let socket: WebSocketProbe | undefined;
  try {
    socket = await WebSocketProbe.open({ ...common, url: addresses.websocket });
    if (quick) {
      const detail = "--quick: nothing is held";
      report({ step: "hold", target: addresses.bosh.href, result: "skipped", detail });
      const silence = "websocket silence";
      report({ step: silence, target: addresses.websocket.href, result: "skipped", detail });
    } else {
      await Promise.all([bosh?.hold(), socket?.survive(bosh?.wait ?? wait)]);
    }
    await bosh?.end();
    await socket?.end();
  } finally {
    await bosh?.abandon();
    await socket?.abandon();
  }
}

type Links = Readonly<Record<"xbosh" | "websocket", URL | undefined>>;

/** Where BOSH and WebSocket are: as the address says, else as host-meta does for that host, else at the usual paths. */
function addressesOf(
  address: URL,
  links: Links | undefined,
  { bosh, websocket }: Config,
): { readonly bosh: URL; readonly websocket: URL } {
  const secure = address.protocol === "https:" || address.protocol === "wss:";
  const isWebSocket = address.protocol.startsWith("ws");
  const whole = address.pathname === "/" ? undefined : address;
  const at = (protocol: "http" | "ws", path: string, link: URL | undefined) => {
    if (whole !== undefined && isWebSocket === (protocol === "ws")) return whole;
    if (link?.host === address.host) return link;
    return new URL(path, `${protocol}${secure ? "s" : ""}://${address.host}`);
  };
  return {
    bosh: at("http", bosh.path, links?.xbosh),
    websocket: at("ws", websocket.path, links?.websocket),
  };
}

/** The origin that pages have; the first that is allowed, where `http.allowed_origins` has not the domain's own. */
function originOf(domain: string, { http: { allowedOrigins } }: Config): string {
  const own = `https://${domain}`;
  return allowedOrigins.includes("*") || allowedOrigins.includes(own)
    ? own
    : allowedOrigins[0] ?? own;
}

/** What clients find that know nothing but the domain (XEP-0156). */
async function checkHostMeta(
  domain: string,
  address: URL,
  world: World,
  report: Report,
): Promise<Links | undefined> {
  const links = await Promise.all(HOST_META.map(async (document) => {
    const own = await fetchHostMeta(document, `https://${domain}`, domain, world);
    report(own.check);
    if (own.links !== undefined) return own.links;
    // Perhaps it is there, and the domain's web server does not pass it on.
    const { protocol, host } = address;
    if ((protocol !== "https:" && protocol !== "wss:") || host === domain) return undefined;
    const { links, check } = await fetchHostMeta(document, `https://${host}`, domain, world);
    if (links === undefined) return undefined;
    report({
      ...check,
      detail: `there it is, for who asks ${host} for ${domain}: ${check.detail}`,
    });
    return links;
  }));
  return links.find((found) => found !== undefined);
}

type Found = Partial<Record<keyof Links, URL>>;

/** Asks this origin for the host-meta of the domain. */
async function fetchHostMeta(
  { path, read }: typeof HOST_META[number],
  at: string,
  domain: string,
  world: World,
): Promise<{ readonly check: Check; readonly links?: Links }> {
  const url = new URL(path, at);
  const origin = `https://pages.${domain}`;
  const base = { step: "host-meta", target: url.href };
  const begun = world.clock.now();
  const warn = (detail: string) => {
    const ms = world.clock.now() - begun;
    return { check: { ...base, result: "warning" as const, detail, cure: ELSEWHERE, ms } };
  };
  let answer: WebAnswer;
  try {
    const headers = { "Origin": origin, "Host": domain };
    answer = await ask({ method: "GET", url, headers }, world);
  } catch (error) {
    if (!(error instanceof WebError)) throw error;
    return warn(`not to be had: ${error.message}`);
  }
  if (answer.status !== 200) {
    return warn(`status ${answer.status}, answered by ${answererOf(answer)}`);
  }
  const { xbosh, websocket } = read(answer.body);
  const hrefs = [xbosh, websocket].flatMap((link) => link === undefined ? [] : [link.href]);
  if (hrefs.length === 0) return warn("it names neither BOSH nor WebSocket");
  const ms = world.clock.now() - begun;
  const fault = corsFault(answer, origin);
  const check: Check = fault === undefined
    ? { ...base, result: "ok", detail: hrefs.join(", "), ms }
    : { ...base, result: "bad", ...fault, ms };
  return { check, links: { xbosh, websocket } };
}

const ELSEWHERE =
  "clients that know only the domain find nothing: have its web server pass /.well-known/host-meta and " +
  "/.well-known/host-meta.json on to Causeway; clients that are told the address need none";

const HOST_META = [
  { path: "/.well-known/host-meta", read: readXrd },
  { path: "/.well-known/host-meta.json", read: readJrd },
] as const;

function readXrd(text: string): Found {
  const children = readElement(text.replace(/^\uFEFF/, "").trim())?.children ?? [];
  return linksIn(children.flatMap((child) => {
    const root = child.name === "Link"
      ? readElement(new TextDecoder().decode(child.bytes))?.root
      : undefined;
    return root === undefined
      ? []
      : [{ rel: root.attributes.get("rel"), href: root.attributes.get("href") }];
  }));
}

function readJrd(text: string): Found {
  try {
    const { links } = JSON.parse(text) as { links?: unknown };
    return linksIn(Array.isArray(links) ? links : []);
  } catch {
    return {};
  }
}

function linksIn(links: readonly unknown[]): Found {
  const found: Found = {};
  for (const link of links) {
    const { rel, href } = (link ?? {}) as { rel?: unknown; href?: unknown };
    const kind = /^urn:xmpp:alt-connections:(xbosh|websocket)$/.exec(String(rel))?.[1];
    const url = URL.parse(String(href));
    if (kind !== undefined && url !== null) found[kind as keyof Links] ??= url;
  }
  return found;
}

/** Whether there is a connection at all. */
async function checkReach(url: URL, world: World, report: Report): Promise<boolean> {
  const target = url.origin;
  const begun = world.clock.now();
  try {
    (await WebConnection.open(url, world))[Symbol.dispose]();
    const ms = world.clock.now() - begun;
    if (url.protocol !== "https:") {
      const detail =
        "connected, without TLS: right for a proxy on the same machine, and for nobody else";
      report({ step: "web", target, result: "ok", detail, ms });
      return true;
    }
    // What verifies it does not show it.
    const certificate = await webCertificate(url, world);
    const left = certificate && endsSoon(certificate, world);
    const what = certificate === undefined ? "" : ` for ${describeCertificate(certificate)}`;
    const detail = `connected; the certificate${what} is right`;
    report({
      ...{ step: "web", target, ms },
      ...(left === undefined ? { result: "ok", detail } : {
        result: "warning",
        detail: `${detail}, but ${left}`,
        cure: "renew it, and have whoever has it there read it anew",
      }),
    });
    return true;
  } catch (error) {
    if (!(error instanceof WebError)) throw error;
    const cure = error.phase === "tls"
      ? "browsers refuse it as well: have a certificate issued for that name by an authority that they trust, with its whole chain"
      : "see whether the proxy runs and listens there, and whether a firewall lets clients through";
    report({
      step: "web",
      target,
      result: "bad",
      detail: error.message,
      cure,
      ms: world.clock.now() - begun,
    });
    return false;
  }
}

/** What a browser asks before a page of another origin may post. */
async function checkPreflight(
  url: URL,
  origin: string,
  world: World,
  report: Report,
): Promise<void> {
  const step = "preflight";
  const target = url.href;
  const begun = world.clock.now();
  const headers = {
    "Origin": origin,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type",
  };
  try {
    const answer = await ask({ method: "OPTIONS", url, headers }, world);
    const fault = preflightFault(answer, origin);
    const ms = world.clock.now() - begun;
    const allowed = valuesOf(answer, "access-control-allow-origin").join(", ");
    const detail = `pages of ${origin} may post (Access-Control-Allow-Origin: ${allowed})`;
    report({ step, target, result: fault === undefined ? "ok" : "bad", detail, ...fault, ms });
  } catch (error) {
    if (!(error instanceof WebError)) throw error;
    const cure = "have the proxy pass OPTIONS on to Causeway, which answers it";
    const ms = world.clock.now() - begun;
    report({ step, target, result: "bad", detail: `no answer: ${error.message}`, cure, ms });
  }
}
