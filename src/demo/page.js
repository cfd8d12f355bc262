/**
 * The page of the demo: Alice and Bob, each with an XMPP session of their own
 * through this page's origin, and a look at what goes over the wire.
 */

import { showLane, showPassage } from "./way.js";
import { watch, WireLog } from "./wire.js";

const { $iq, $msg, $pres, Strophe } = globalThis;
const { Status } = Strophe;

const SERVICES = {
  bosh: { label: "BOSH", url: `${location.origin}/http-bind` },
  websocket: {
    label: "WebSocket",
    url: `${location.origin.replace(/^http/, "ws")}/xmpp-websocket`,
  },
};

/** One half of the page: somebody's session, chat and wire log. */
class Person {
  #name;
  #friend;
  #section;
  #wire;
  #connection;
  /** What to do once the connection is down: how a change of transport goes on. */
  #next;
  #bytes = { up: 0, down: 0 };
  #friendIsHere = false;
  #said = 0;
  /** Resolves for whoever waits for the next message. */
  #arrival;

  constructor(name, friend, transport) {
    this.#name = name;
    this.#friend = friend;
    const copy = document.querySelector("#person").content.cloneNode(true);
    this.#section = copy.querySelector("section");
    this.#section.dataset.person = name;
    this.#section.setAttribute("aria-label", capital(name));
    this.#find(".portrait").textContent = capital(name)[0];
    this.#find("[data-name]").textContent = capital(name);
    this.#find("[data-jid]").textContent = `${name}@localhost`;
    this.#find("[data-chat]").setAttribute("aria-label", `Chat of ${capital(name)}`);
    this.#find("[data-wire]").setAttribute("aria-label", `Wire log of ${capital(name)}`);
    const draft = this.#find("[data-draft]");
    draft.placeholder = `Write to ${capital(friend)}`;
    draft.setAttribute("aria-label", draft.placeholder);
    for (const radio of this.#section.querySelectorAll("[type=radio]")) {
      radio.name = `transport-${name}`;
      radio.checked = radio.value === transport;
      radio.addEventListener("change", () => this.#switch());
    }
    this.#wire = new WireLog(this.#find("[data-wire]"));
    this.#find("[data-action=clear]").addEventListener("click", () => this.#wire.clear());
    this.#find("[data-action=connect]").addEventListener("click", () => {
      if (this.#connection === undefined) this.connect();
      else this.#disconnect();
    });
    this.#find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = draft.value.trim();
      if (text !== "") this.say(text);
      draft.value = "";
    });
    document.querySelector("main").append(copy);
    this.#show("disconnected", "not connected");
  }

  get transport() {
    return this.#find("[type=radio]:checked").value;
  }

  get isConnected() {
    return this.#section.dataset.state === "connected";
  }

  connect() {
    const { transport } = this;
    const connection = new Strophe.Connection(SERVICES[transport].url, {
      mechanisms: [Strophe.SASLSHA1],
    });
    this.#connection = connection;
    watch(connection, transport, (entry) => this.#seen(entry));
    const jid = `${this.#name}@localhost/page`;
    // A new session for each attempt, so a late word of an old one is recognised and ignored.
    connection.connect(jid, this.#name, (status, condition) => {
      if (connection === this.#connection) this.#status(status, condition);
      return true;
    });
  }

  /** Sends a chat message and shows it. */
  say(text) {
    const to = `${this.#friend}@localhost`;
    this.#connection.send(
      $msg({ to, type: "chat", id: `${this.#name}-${++this.#said}` }).c("body").t(text).tree(),
    );
    this.#bubble("out", text);
  }

  /** Settles when the next message has arrived. */
  arrival() {
    return new Promise((resolve) => this.#arrival = resolve);
  }

  #switch() {
    this.#lane();
    if (this.#connection === undefined) return this.connect();
    this.#next = () => this.connect();
    this.#disconnect();
  }

  #disconnect() {
    this.#show("disconnecting", "saying goodbye…");
    this.#connection.disconnect("leaving");
  }

  #status(status, condition) {
    switch (status) {
      case Status.CONNECTING:
        return this.#show("connecting", "connecting…");
      case Status.AUTHENTICATING:
        return this.#show("connecting", "logging in with SCRAM-SHA-1…");
      case Status.CONNECTED:
        return this.#connected();
      case Status.AUTHFAIL:
        return this.#show("failed", "the server did not accept the password");
      case Status.CONNFAIL:
      case Status.ERROR:
        return this.#show("failed", FAILURES[condition] ?? `could not connect: ${condition}`);
      case Status.DISCONNECTED:
        return this.#disconnected();
    }
  }

  #connected() {
    const connection = this.#connection;
    this.#show("connected", `connected over ${SERVICES[this.transport].label}`);
    connection.addHandler((stanza) => this.#message(stanza) || true, null, "message");
    connection.addHandler((stanza) => this.#presence(stanza) || true, null, "presence");
    connection.sendIQ(
      $iq({ type: "get", id: "roster" }).c("query", { xmlns: Strophe.NS.ROSTER }).tree(),
    );
    connection.send($pres().tree());
  }

  #disconnected() {
    this.#connection = undefined;
    this.#friendIsHere = false;
    // Why it failed stays to be read.
    if (this.#section.dataset.state === "failed") {
      this.#show("failed", this.#find("[data-status]").textContent);
    } else this.#show("disconnected", "not connected");
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }

  #message(stanza) {
    if (stanza.getAttribute("type") === "error") {
      return this.#note(`${capital(this.#friend)} is not there: the server sent the message back.`);
    }
    const body = stanza.getElementsByTagName("body")[0];
    if (body === undefined) return;
    this.#bubble("in", body.textContent);
    this.#arrival?.();
  }

  #presence(stanza) {
    const from = Strophe.getBareJidFromJid(stanza.getAttribute("from") ?? "");
    if (from !== `${this.#friend}@localhost`) return;
    const isHere = stanza.getAttribute("type") === null;
    if (isHere === this.#friendIsHere) return;
    this.#friendIsHere = isHere;
    this.#note(`${capital(this.#friend)} is ${isHere ? "here" : "away"}.`);
  }

  #bubble(direction, text) {
    const bubble = document.createElement("p");
    bubble.dataset.message = direction;
    bubble.textContent = text;
    this.#chat(bubble);
  }

  #note(text) {
    const note = document.createElement("p");
    note.className = "note";
    note.textContent = text;
    this.#chat(note);
  }

  #chat(line) {
    const chat = this.#find("[data-chat]");
    chat.append(line);
    while (chat.childElementCount > 200) chat.firstElementChild.remove();
    chat.scrollTop = chat.scrollHeight;
  }

  #show(state, text) {
    const isConnected = state === "connected";
    this.#section.dataset.state = state;
    this.#find("[data-status]").textContent = text;
    this.#find("[data-draft]").disabled = !isConnected;
    this.#find("[data-action=send]").disabled = !isConnected;
    const button = this.#find("[data-action=connect]");
    button.textContent = this.#connection === undefined ? "Connect" : "Disconnect";
    button.disabled = state === "disconnecting";
    this.#lane();
    document.querySelector("[data-action=hello]").disabled = !people.every((each) =>
      each.isConnected
    );
  }

  #lane() {
    showLane(this.#name, this.#section.dataset.state, SERVICES[this.transport].label);
  }

  #seen(entry) {
    this.#wire.add(entry);
    this.#bytes[entry.direction] += entry.bytes;
    const { up, down } = this.#bytes;
    this.#find("[data-bytes]").textContent = `↑ ${size(up)}  ↓ ${size(down)}`;
    showPassage(this.#name, entry);
  }

  #find(selector) {
    return this.#section.querySelector(selector);
  }
}

/** What Strophe's and the server's conditions mean to somebody who meets them here. */
const FAILURES = {
  conflict: "signed in from another window",
  "remote-connection-failed": "Causeway could not reach the XMPP server",
  "system-shutdown": "the demo was stopped",
};

/** The two of them exchange a few words, each one waiting for the other's to arrive. */
async function sayHello(alice, bob) {
  const words = {
    bosh: "By BOSH: each word is an HTTP request.",
    websocket: "By WebSocket: one long connection.",
  };
  const lines = [
    [alice, bob, "Hello Bob! Can you hear me?"],
    [bob, alice, "Loud and clear. How did you get here?"],
    [alice, bob, `${words[alice.transport]} And you?`],
    [bob, alice, `${words[bob.transport]} Nice causeway!`],
  ];
  for (const [speaker, listener, line] of lines) {
    if (!speaker.isConnected || !listener.isConnected) return;
    const arrival = listener.arrival();
    speaker.say(line);
    await arrival;
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}

function size(bytes) {
  return bytes < 10_000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}

Strophe.setLogLevel(Strophe.LogLevel.WARN);
const people = [];
people.push(new Person("alice", "bob", "bosh"));
people.push(new Person("bob", "alice", "websocket"));
document.querySelector("[data-origin]").textContent = location.host;
const hello = document.querySelector("[data-action=hello]");
hello.addEventListener("click", async () => {
  hello.disabled = true;
  await sayHello(...people);
  hello.disabled = !people.every((each) => each.isConnected);
});
for (const person of people) person.connect();
