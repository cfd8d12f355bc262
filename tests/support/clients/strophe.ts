// Before what would take it away.
import "./own_web_socket.ts";

import { $iq, $msg, $pres, Strophe } from "strophe.js";
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
import { FetchXmlHttpRequest } from "./xml_http_request.ts";

/** Strophe.js in this process, on a part of what a browser would give it. */
export const strophe: readonly ClientKind[] = [
  {
    name: "strophe.js over BOSH",
    transport: "bosh",
    version: () => installed("strophe.js"),
    logIn: (url, credentials) => logIn(`${url}/http-bind`, credentials),
  },
  {
    name: "strophe.js over WebSocket",
    transport: "websocket",
    version: () => installed("strophe.js"),
    logIn: (url, credentials) => logIn(`${url.replace(/^http/, "ws")}/xmpp-websocket`, credentials),
  },
];

Object.assign(globalThis, { XMLHttpRequest: FetchXmlHttpRequest });
// What fails is in the tests' hands; the library would also print it.
Strophe.setLogLevel(Strophe.LogLevel.FATAL);

async function logIn(
  service: string,
  { user, password, resource }: Credentials,
): Promise<XmppClient> {
  const connection = new Strophe.Connection(service);
  const { CONNECTED, AUTHFAIL, CONNFAIL, ERROR, DISCONNECTED } = Strophe.Status;
  const traffic: string[] = [];
  connection.rawInput = (text) => void traffic.push(text);
  connection.rawOutput = (text) => void traffic.push(text);
  const messages = new Inbox<ChatMessage & { from: string }>();
  const presences = new Inbox<Presence>();
  const connected = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const disconnected = Promise.withResolvers<void>();
  const onMessage = (message: StropheElement) => {
    messages.put({
      from: message.getAttribute("from") ?? "",
      id: message.getAttribute("id") ?? "",
      body: message.getElementsByTagName("body")[0]?.textContent ?? "",
    });
    return true;
  };
  const onPresence = (presence: StropheElement) => {
    const from = presence.getAttribute("from") ?? "";
    if (from !== connection.jid) {
      presences.put({
        from,
        available: presence.getAttribute("type") === null,
        status: presence.getElementsByTagName("status")[0]?.textContent ?? "",
      });
    }
    return true;
  };
  connection.connect(`${user}@example.test/${resource}`, password, (status, condition, element) => {
    switch (status) {
      case CONNECTED:
        connection.addHandler(onMessage, null, "message", null);
        connection.addHandler(onPresence, null, "presence", null);
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
    ask() {
      const question = $iq({ to: "example.test", type: "get" }).c("ping", {
        xmlns: "urn:xmpp:ping",
      });
      const answered = new Promise<string>((resolve) => {
        const onAnswer = (answer: StropheElement) => resolve(answer.getAttribute("type") ?? "");
        connection.sendIQ(question, onAnswer, onAnswer);
      });
      return patiently(answered, "the iq is answered");
    },
    show: (status) => connection.send($pres().c("status").t(status)),
    presence: () => presences.take(),
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
