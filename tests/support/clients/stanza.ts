import { AsyncLocalStorage } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import { type Agent, createClient } from "stanza";
import platform from "stanza/platform/node/index.js";
import { authority } from "../certificates/certificates.ts";
import { LeadingProxy } from "../leading_proxy.ts";
import { Inbox, patiently } from "../patience.ts";
import {
  type ChatMessage,
  type ClientKind,
  type Credentials,
  LoginError,
  type Presence,
  type XmppClient,
} from "./client.ts";
import { installed } from "./installed.ts";
import { OwnWebSocket } from "./own_web_socket.ts";

const common = { takesPlus: true, version: () => installed("stanza") };

export const stanza: readonly ClientKind[] = [
  ...[1, 2].map((hold): ClientKind => ({
    name: `stanza over BOSH, hold ${hold}`,
    transport: "bosh",
    ...common,
    logIn: (url, credentials) => logIn({ bosh: `${url}/http-bind` }, credentials, { hold }),
  })),
  {
    name: "stanza over WebSocket",
    transport: "websocket",
    ...common,
    logIn: (url, credentials) =>
      logIn({ websocket: `${url.replace(/^http/, "ws")}/xmpp-websocket` }, credentials),
  },
  {
    name: "stanza over WebSocket, found by host-meta",
    transport: "websocket",
    discovers: true,
    ...common,
    logIn: (url, credentials) => logIn({ websocket: true }, credentials, { leadTo: url }),
  },
];

/** Where the clients of the running call find `https://example.test` and `wss://example.test`. */
const way = new AsyncLocalStorage<Lead>();

// The library takes both from its platform each time that it needs one.
const WithoutLead = platform.WebSocket;
Object.assign(platform, {
  fetch(url: string, init?: RequestInit) {
    const lead = way.getStore();
    return fetch(url, lead === undefined ? init : { ...init, client: lead.client });
  },
  WebSocket: class {
    constructor(url: string, protocol: string) {
      return way.getStore()?.open(url, protocol) ?? new WithoutLead(url, protocol);
    }
  },
});

interface Options {
  /** How many requests it lets be held; the library has no setting for it. Default: 2. */
  readonly hold?: number;
  /** Whither the domain's own address leads, which it finds by host-meta. */
  readonly leadTo?: string;
}

async function logIn(
  transports: Readonly<Record<string, string | boolean>>,
  { user, password, resource }: Credentials,
  { hold = 2, leadTo }: Options = {},
): Promise<XmppClient> {
  const client: Agent = createClient({
    jid: `${user}@example.test`,
    resource,
    password,
    transports: { ...transports },
    transportPreferenceOrder: Object.keys(transports),
    // Over BOSH its last acknowledgement does not leave when it logs out, and the server sends again.
    useStreamManagement: transports.bosh === undefined,
  });
  const Bosh = client.transports.bosh!;
  client.transports.bosh = class extends Bosh {
    maxHoldOpen = hold;

    constructor(...given: ConstructorParameters<typeof Bosh>) {
      super(...given);
      // It takes the answers of its two connections as they come, and one behind the end for a fault.
      (this as unknown as EventEmitter).on("error", () => {});
    }
  };
  const traffic: string[] = [];
  const messages = new Inbox<ChatMessage & { from: string }>();
  const presences = new Inbox<Presence>();
  const connected = Promise.withResolvers<void>();
  const disconnected = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const condemned = (condition: string) => {
    connected.reject(new LoginError(condition));
    ended.resolve(condition);
  };
  client.on("raw:*", (_direction, text) => void traffic.push(text));
  client.on("message", ({ from = "", id = "", body = "" }) => messages.put({ from, id, body }));
  client.on("presence", ({ from = "", type, status = "" }) => {
    if (from !== client.jid) presences.put({ from, available: type === undefined, status });
  });
  client.on("sasl", (sasl) => sasl.type === "failure" && condemned(sasl.condition ?? "unknown"));
  client.on("stream:error", ({ condition }) => condemned(condition));
  client.on(
    "bosh:terminate",
    (body) => condemned((body as { condition?: string }).condition ?? ""),
  );
  client.on("session:started", () => connected.resolve());
  // Over BOSH it never comes to be disconnected when it had something to send beside the end.
  client.on("stream:end", () => disconnected.resolve());
  client.on("disconnected", () => {
    condemned("disconnected");
    disconnected.resolve();
  });
  const lead = leadTo === undefined ? undefined : await leadingTo(new URL(leadTo).port);
  try {
    if (lead === undefined) client.connect();
    else way.run(lead, () => client.connect());
    await patiently(connected.promise, `${user} is connected`);
  } catch (error) {
    client.transport?.disconnect(false);
    await lead?.close();
    throw error;
  }
  client.sendPresence();
  return {
    jid: client.jid,
    ended: ended.promise,
    traffic,
    send: (to, { id, body }) => void client.sendMessage({ to, id, type: "chat", body }),
    receive: () => messages.take(),
    async ask() {
      const question = client.sendIQ({ to: "example.test", type: "get", ping: true });
      const answer = await patiently(question, "the iq is answered");
      return answer.type;
    },
    show: (status) => void client.sendPresence({ status }),
    presence: () => presences.take(),
    async logOut() {
      client.disconnect();
      await patiently(disconnected.promise, `${user} is disconnected`);
      await lead?.close();
    },
    abandon() {
      client.transport?.disconnect(false);
      void lead?.close();
    },
  };
}

interface Lead {
  readonly client: Deno.HttpClient;
  open(url: string, protocol: string): WebSocket;
  close(): Promise<void>;
}

/** Whatever is asked for is found at this port of the loopback. */
async function leadingTo(port: string): Promise<Lead> {
  const proxy = await LeadingProxy.start({ "example.test:443": Number(port) });
  const client = Deno.createHttpClient({ caCerts: [authority()], proxy: { url: proxy.url } });
  const closed: Promise<void>[] = [];
  const close = async () => {
    await patiently(Promise.all(closed), "its WebSockets are closed");
    client.close();
    await proxy[Symbol.asyncDispose]();
  };
  let closing: Promise<void> | undefined;
  return {
    client,
    close: () => closing ??= close(),
    open(url, protocol) {
      const socket = new OwnWebSocket(url, { protocols: [protocol], client });
      closed.push(new Promise((resolve) => socket.addEventListener("close", () => resolve())));
      return socket;
    },
  };
}
