import type { ClientKind } from "./client.ts";
import { installed, packaged } from "./installed.ts";
import { PageBrowser } from "./page_browser.ts";
import { type ClientPage, pageClient } from "./page_client.ts";

const LIBJS_STROPHE = "/usr/share/javascript/strophe/strophe.min.js";

/** Whence Converse, when it fills the window, has pictures for the foot of its log-in page. */
const SPONSORS = "conversejs.org";

/** Clients that are web pages, in a Chromium that they share: each its own page in its own profile. */
export const pages: readonly ClientKind[] = [
  kind("strophe.js in Chromium over BOSH", {
    transport: "bosh",
    version: () => installed("strophe.js"),
    page: (url) => ({ path: "/pages/strophe.html", settings: boshOf(url) }),
  }),
  kind("strophe.js in Chromium over WebSocket", {
    transport: "websocket",
    version: () => installed("strophe.js"),
    page: (url) => ({ path: "/pages/strophe.html", settings: webSocketOf(url) }),
  }),
  kind("libjs-strophe in Chromium over BOSH", {
    transport: "bosh",
    programs: [LIBJS_STROPHE],
    version: () => packaged("libjs-strophe"),
    page: (url) => ({ path: "/pages/libjs_strophe.html", settings: boshOf(url) }),
  }),
  kind("libjs-strophe in Chromium over WebSocket", {
    transport: "websocket",
    programs: [LIBJS_STROPHE],
    version: () => packaged("libjs-strophe"),
    page: (url) => ({ path: "/pages/libjs_strophe.html", settings: webSocketOf(url) }),
  }),
  kind("Converse in Chromium over BOSH", {
    transport: "bosh",
    version: () => installed("converse.js", "converse/deno.json"),
    page: (url) => converse({ discover_connection_methods: false, bosh_service_url: boshOf(url) }),
  }),
  kind("Converse in Chromium over WebSocket", {
    transport: "websocket",
    version: () => installed("converse.js", "converse/deno.json"),
    page: (url) =>
      converse({ discover_connection_methods: false, websocket_url: webSocketOf(url) }),
  }),
  kind("Converse in Chromium over WebSocket, found by host-meta", {
    transport: "websocket",
    discovers: true,
    version: () => installed("converse.js", "converse/deno.json"),
    page: (url) => ({
      ...converse({}),
      exampleTest: Number(new URL(url).port),
      asksFor: [SPONSORS, "example.test"],
    }),
  }),
];

interface PageKind extends Pick<ClientKind, "transport" | "discovers" | "version" | "programs"> {
  page(url: string): ClientPage;
}

function kind(name: string, { page, programs = [], ...rest }: PageKind): ClientKind {
  return {
    ...rest,
    name,
    programs: ["chromium", ...programs],
    logIn: async (url, credentials) =>
      await pageClient(await (shared ??= PageBrowser.launch()), page(url), credentials),
    async close() {
      const browser = shared;
      shared = undefined;
      await (await browser)?.[Symbol.asyncDispose]();
    },
  };
}

let shared: Promise<PageBrowser> | undefined;

function converse(settings: Readonly<Record<string, unknown>>): ClientPage {
  return { path: "/pages/converse.html", settings, asksFor: [SPONSORS] };
}

function boshOf(url: string): string {
  return `${url}/http-bind`;
}

function webSocketOf(url: string): string {
  return `${url.replace(/^http/, "ws")}/xmpp-websocket`;
}
