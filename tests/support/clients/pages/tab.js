// What tests/support/strophe_tab.ts does in a page: Strophe of either age, with its session kept.
const { Strophe, $msg, $pres } = globalThis.Strophe.Strophe ? globalThis.Strophe : globalThis;

const NAMES = Object.fromEntries(Object.entries(Strophe.Status).map(([name, n]) => [n, name]));

const tab = globalThis.tab = {
  /** What Strophe said of the connection: `CONNFAIL conflict`. */
  statuses: [],
  /** Bodies. */
  received: [],
  connection: undefined,

  connect(service, jid, password) {
    open(service);
    tab.connection.connect(jid, password, onStatus);
  },
  restore(service) {
    open(service);
    tab.connection.restore(null, onStatus);
  },
  send(to, body) {
    tab.connection.send($msg({ to, type: "chat" }).c("body").t(body));
  },
  /** Ends the session when the page goes away, by the one kind of request that outlives it. */
  endWithPage(service) {
    addEventListener("pagehide", () => {
      const end = tab.connection._proto._buildBody().attrs({ type: "terminate" });
      navigator.sendBeacon(service, end.toString());
    });
  },
};

function open(service) {
  tab.connection = new Strophe.Connection(service, { keepalive: true });
}

function onStatus(status, condition) {
  tab.statuses.push(condition ? `${NAMES[status]} ${condition}` : NAMES[status]);
  if (status === Strophe.Status.CONNECTED || status === Strophe.Status.ATTACHED) {
    tab.connection.addHandler(onMessage, null, "message");
  }
  if (status === Strophe.Status.CONNECTED) tab.connection.send($pres());
}

function onMessage(message) {
  tab.received.push(message.getElementsByTagName("body")[0]?.textContent ?? "");
  return true;
}
