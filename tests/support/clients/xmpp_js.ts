import { client as xmppClient, xml } from "@xmpp/client";
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

export const xmppJs: readonly ClientKind[] = [
  {
    name: "@xmpp/client over WebSocket",
    transport: "websocket",
    version: () => installed("@xmpp/client"),
    logIn: (url, credentials) => logIn(`${url.replace(/^http/, "ws")}/xmpp-websocket`, credentials),
  },
];

/** A client whose library can be looked at. */
export interface XmppJsPerson extends XmppClient {
  readonly library: XmppJsClient;
}

/** `reconnects`: whether it comes back by itself when its connection is gone; default: it does not. */
export async function logIn(
  service: string,
  { user, password, resource }: Credentials,
  { reconnects = false } = {},
): Promise<XmppJsPerson> {
  const client: XmppJsClient = xmppClient({
    service,
    domain: "example.test",
    username: user,
    password,
    resource,
    timeout: 10_000,
  });
  // It would come back after an end that a test wants to see.
  if (!reconnects) client.reconnect.stop();
  const traffic: string[] = [];
  const messages = new Inbox<ChatMessage & { from: string }>();
  const presences = new Inbox<Presence>();
  let own = "";
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const ended = Promise.withResolvers<string>();
  client.on("send", (element) => traffic.push(element.toString()));
  client.on("element", (element) => traffic.push(element.toString()));
  client.on("stanza", (stanza) => {
    const { from = "", id = "", type } = stanza.attrs;
    if (stanza.is("message")) {
      messages.put({ from, id, body: stanza.getChildText("body") ?? "" });
    } else if (stanza.is("presence") && from !== own) {
      const status = stanza.getChildText("status") ?? "";
      presences.put({ from, available: type === undefined, status });
    }
  });
  const counting = Promise.withResolvers<void>();
  let hasManagement = false;
  client.on("nonza", (element) => {
    if (element.is("features")) hasManagement = element.toString().includes("urn:xmpp:sm:3");
    if (element.is("enabled", "urn:xmpp:sm:3")) counting.resolve();
  });
  client.on("error", (error) => {
    const condition = error.condition ?? error.message;
    failed.reject(new LoginError(condition));
    ended.resolve(condition);
  });
  const online = client.start().then(async (jid) => {
    // It is online before the answer to its <enable/> is there, from which on it counts stanzas
    // (XEP-0198 §4). Of one that comes together with that answer it would lose count.
    if (hasManagement) await counting.promise;
    return jid;
  }, (error: XmppJsError) => {
    throw new LoginError(error.condition ?? error.message);
  });
  const jid = await patiently(Promise.race([online, failed.promise]), `${user} is online`);
  own = jid.toString();
  await client.send(xml("presence"));
  return {
    jid: own,
    ended: ended.promise,
    traffic,
    library: client,
    send: (to, { id, body }) =>
      void client.send(xml("message", { to, id, type: "chat" }, xml("body", {}, body))),
    receive: () => messages.take(),
    async ask() {
      const question = xml(
        "iq",
        { to: "example.test", type: "get" },
        xml("ping", { xmlns: "urn:xmpp:ping" }),
      );
      const answer = await patiently(client.iqCaller.request(question), "the iq is answered");
      // The library forgets to count it (XEP-0198 §4), and the server would send the last stanza
      // again to whoever logs in next.
      client.streamManagement.inbound++;
      return answer.attrs.type ?? "";
    },
    show: (status) => void client.send(xml("presence", {}, xml("status", {}, status))),
    presence: () => presences.take(),
    logOut: async () => void await patiently(client.stop(), `${user} has stopped`),
  };
}

/** What is used of a library that comes without types. */
interface XmppJsClient {
  /** `delay`: milliseconds. */
  readonly reconnect: { delay: number; stop(): void };
  readonly streamManagement: {
    inbound: number;
    on(event: "resumed", listener: () => void): void;
  };
  readonly iqCaller: { request(element: unknown): Promise<XmppJsElement> };
  on(
    event: "send" | "element" | "stanza" | "nonza",
    listener: (element: XmppJsElement) => void,
  ): void;
  on(event: "error", listener: (error: XmppJsError) => void): void;
  start(): Promise<{ toString(): string }>;
  stop(): Promise<unknown>;
  send(element: unknown): Promise<void>;
}

interface XmppJsElement {
  readonly attrs: Readonly<Record<string, string>>;
  is(name: string, namespace?: string): boolean;
  getChildText(name: string): string | null;
  toString(): string;
}

type XmppJsError = Error & { readonly condition?: string };
