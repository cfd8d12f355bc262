// What page_client.ts asks of a page, by Strophe of either age: once it was several globals.
import { tellStanzas, tellTraffic } from "./stanzas.js";

const { Strophe, $iq, $msg, $pres } = globalThis.Strophe.Strophe ? globalThis.Strophe : globalThis;
const { tell } = globalThis;

let connection;
let leaving = false;

globalThis.client = {
  logIn(service, jid, password) {
    connection = new Strophe.Connection(service);
    const refusal = tellTraffic(connection);
    const { CONNECTED, AUTHFAIL, CONNFAIL, ERROR, DISCONNECTED } = Strophe.Status;
    connection.connect(jid, password, (status, condition) => {
      switch (status) {
        case CONNECTED:
          tellStanzas(connection);
          connection.send($pres());
          return tell("connected", connection.jid);
        case AUTHFAIL:
          return tell("failed", refusal());
        case CONNFAIL:
        case ERROR:
          tell("failed", String(condition));
          return tell("ended", String(condition));
        case DISCONNECTED:
          if (leaving) return tell("left");
          tell("failed", "disconnected");
          return tell("ended", condition ?? "");
      }
    });
  },
  send(to, id, body) {
    connection.send($msg({ to, id, type: "chat" }).c("body").t(body));
  },
  ask() {
    const ping = $iq({ to: "example.test", type: "get" }).c("ping", { xmlns: "urn:xmpp:ping" });
    const onAnswer = (answer) => tell("answered", answer?.getAttribute("type") ?? "none");
    connection.sendIQ(ping, onAnswer, onAnswer);
  },
  show(status) {
    connection.send($pres().c("status").t(status));
  },
  leave() {
    leaving = true;
    connection.disconnect("");
  },
};
