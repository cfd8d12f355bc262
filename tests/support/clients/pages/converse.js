// What page_client.ts asks of a page, by Converse and its API for plugins.
import { tellStanzas, tellTraffic } from "./stanzas.js";

const { converse, tell } = globalThis;
const { Strophe, $iq, $msg } = converse.env;

let api;
let leaving = false;

globalThis.client = {
  logIn(settings, jid, password) {
    return converse.initialize({
      ...settings,
      jid,
      password,
      assets_path: "/converse.js",
      authentication: "login",
      auto_login: true,
      auto_reconnect: false,
      i18n: "en",
      loglevel: "fatal",
      view_mode: "fullscreen",
      whitelisted_plugins: ["tests"],
    });
  },
  send(to, id, body) {
    api.send($msg({ to, id, type: "chat" }).c("body").t(body));
  },
  async ask() {
    const ping = $iq({ to: "example.test", type: "get" }).c("ping", { xmlns: "urn:xmpp:ping" });
    const answer = await api.sendIQ(ping, undefined, false);
    tell("answered", answer?.getAttribute("type") ?? "none");
  },
  show(status) {
    return api.user.status.message.set(status);
  },
  async leave() {
    leaving = true;
    await api.user.logout();
    tell("left");
  },
};

converse.plugins.add("tests", {
  initialize() {
    api = this._converse.api;
    const { connfeedback } = this._converse.state;
    let refusal;
    api.listen.on("connectionInitialized", () => refusal = tellTraffic(api.connection.get()));
    api.listen.on("connected", () => tellStanzas(api.connection.get()));
    // It has logged in, but shows itself only when it knows its roster.
    api.listen.on("send", (stanza) => {
      if (stanza.tagName === "presence" && !stanza.hasAttribute("type")) {
        tell("connected", api.user.jid());
      }
    });
    connfeedback.on("change:connection_status", () => {
      if (leaving) return;
      const { AUTHFAIL, CONNFAIL, DISCONNECTED } = Strophe.Status;
      const message = connfeedback.get("message") ?? "";
      switch (connfeedback.get("connection_status")) {
        case AUTHFAIL:
          return tell("failed", refusal());
        case CONNFAIL:
        case DISCONNECTED:
          tell("failed", message);
          return tell("ended", message);
      }
    });
  },
});
