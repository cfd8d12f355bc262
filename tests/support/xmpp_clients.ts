/**
 * The client libraries that people use, behind one interface. Sanitizers have to be off in tests
 * that use them: Strophe looks around every 100 ms and stops only some time after the end, and
 * @xmpp/client leaves its timers to run out.
 */
import { client as xmppClient, xml } from "@xmpp/client";
import { $msg, $pres, Strophe } from "strophe.js";
import { Inbox, patiently } from "./patience.ts";
import { FetchXmlHttpRequest } from "./xmpp_clients_xhr.ts";

export interface Credentials {
  /** Of `example.test`. */
  readonly user: string;
  readonly password: string;
  readonly resource: string;
}

export interface ChatMessage {
  readonly id: string;
  readonly body: string;
}

/** A client of some library that has logged in and sent its presence. */
export interface XmppClient {
  /** Full JID. */
  readonly jid: string;
  /** Settles with the condition when the connection manager or the server ends the session. */
  readonly ended: Promise<string>;
  /** What it sent and received, as it was on the wire or as the library shows it. */
  readonly traffic: readonly string[];
  send(to: string, message: ChatMessage): void;
  /** The next message, and from whom. */
  receive(): Promise<ChatMessage & { readonly from: string }>;
  /** Logs out as the library does it, and settles when it thinks that it has. */
  logOut(): Promise<void>;
}

export interface ClientKind {
  readonly name: string;
  readonly transport: "bosh" | "websocket";
  /** Logs in at a connection manager (`http://host:port`); rejects with a {@link LoginError}. */
  logIn(url: string, credentials: Credentials): Promise<XmppClient>;
}

/** The library could not log in. */
export class LoginError extends Error {
  override readonly name = "LoginError";
  /** As the library says it. */
  readonly condition: string;

  constructor(condition: string) {
    super(`cannot log in: ${condition}`);
    this.condition = condition;
  }
}

export const clientKinds: readonly ClientKind[] = [
  {
    name: "strophe.js over BOSH",
    transport: "bosh",
    logIn: (url, credentials) => stropheLogIn(`${url}/http-bind`, credentials),
  },
  {
    name: "strophe.js over WebSocket",
    transport: "websocket",
    logIn: (url, credentials) => stropheLogIn(`${inWs(url)}/xmpp-websocket`, credentials),
  },
  {
    name: "@xmpp/client over WebSocket",
    transport: "websocket",
    logIn: (url, credentials) => xmppJsLogIn(`${inWs(url)}/xmpp-websocket`, credentials),
  },
];

Object.assign(globalThis, { XMLHttpRequest: FetchXmlHttpRequest });
// What fails is in the tests' hands; the library would also print it.
Strophe.setLogLevel(Strophe.LogLevel.FATAL);

async function stropheLogIn(
  service: string,
  { user, password, resource }: Credentials,
): Promise<XmppClient> {
  const connection = new Strophe.Connection(service);
  const { CONNECTED, AUTHFAIL, CONNFAIL, ERROR, DISCONNECTED } = Strophe.Status;
  const traffic: string[] = [];
  connection.rawInput = (text) => void traffic.push(text);
  connection.rawOutput = (text) => void traffic.push(text);
  const messages = new Inbox<ChatMessage & { from: string }>();
  const connected = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const disconnected = Promise.withResolvers<void>();
  connection.connect(`${user}@example.test/${resource}`, password, (status, condition, element) => {
    switch (status) {
      case CONNECTED:
        connection.addHandler(
          (message: StropheElement) => {
            messages.put({
              from: message.getAttribute("from") ?? "",
              id: message.getAttribute("id") ?? "",
              body: message.getElementsByTagName("body")[0]?.textContent ?? "",
            });
            return true;
          },
          null,
          "message",
          null,
        );
        return connected.resolve();
      case AUTHFAIL:
        return connected.reject(new LoginError(element?.firstElementChild?.nodeName ?? "unknown"));
      case CONNFAIL:
      case ERROR:
        connected.reject(new LoginError(String(condition)));
        return ended.resolve(String(condition));
      case DISCONNECTED:
        connected.reject(new LoginError("disconnected"));
        return disconnected.resolve();
    }
  });
  await patiently(connected.promise, `${user} is connected`);
  connection.send($pres());
  return {
    jid: connection.jid,
    ended: ended.promise,
    traffic,
    send: (to, { id, body }) => connection.send($msg({ to, id, type: "chat" }).c("body").t(body)),
    receive: () => messages.take(),
    async logOut() {
      connection.disconnect("");
      await patiently(disconnected.promise, `${user} is disconnected`);
    },
  };
}

/** As much of a DOM element as is looked at here. */
interface StropheElement {
  readonly textContent: string | null;
  getAttribute(name: string): string | null;
  getElementsByTagName(name: string): { readonly [index: number]: StropheElement };
}

async function xmppJsLogIn(
  service: string,
  { user, password, resource }: Credentials,
): Promise<XmppClient> {
  const client: XmppJsClient = xmppClient({
    service,
    domain: "example.test",
    username: user,
    password,
    resource,
    timeout: 10_000,
  });
  // It would come back after an end that a test wants to see.
  client.reconnect.stop();
  const traffic: string[] = [];
  const messages = new Inbox<ChatMessage & { from: string }>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const ended = Promise.withResolvers<string>();
  client.on("send", (element) => traffic.push(element.toString()));
  client.on("element", (element) => traffic.push(element.toString()));
  client.on("stanza", (stanza) => {
    if (!stanza.is("message")) return;
    const { from = "", id = "" } = stanza.attrs;
    messages.put({ from, id, body: stanza.getChildText("body") ?? "" });
  });
  const counting = Promise.withResolvers<void>();
  client.on("nonza", (element) => element.is("enabled", "urn:xmpp:sm:3") && counting.resolve());
  client.on("error", (error) => {
    const condition = error.condition ?? error.message;
    failed.reject(new LoginError(condition));
    ended.resolve(condition);
  });
  const online = client.start().then(async (jid) => {
    // It is online before the answer to its <enable/> is there, from which on it counts stanzas
    // (XEP-0198 §4). Of one that comes together with that answer it would lose count.
    await counting.promise;
    return jid;
  }, (error: XmppJsError) => {
    throw new LoginError(error.condition ?? error.message);
  });
  const jid = await patiently(Promise.race([online, failed.promise]), `${user} is online`);
  await client.send(xml("presence"));
  return {
    jid: jid.toString(),
    ended: ended.promise,
    traffic,
    send: (to, { id, body }) =>
      void client.send(xml("message", { to, id, type: "chat" }, xml("body", {}, body))),
    receive: () => messages.take(),
    logOut: async () => void await patiently(client.stop(), `${user} has stopped`),
  };
}

/** What is used of a library that comes without types. */
interface XmppJsClient {
  readonly reconnect: { stop(): void };
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

function inWs(url: string): string {
  return url.replace(/^http/, "ws");
}
