import { addressOf, change, get } from "./api.js";
import { dialogOf, onConfirm, show } from "./dialog.js";
import { announce, arrange, find, make, setText } from "./dom.js";
import { Trace } from "./trace.js";
import { bytes, count, duration, moment, SESSION_STATES, TRANSPORTS } from "./words.js";

/** One session: what is known of it, its trace, and its end. */
export class SessionDialog {
  #dialog = dialogOf("session");
  #end = dialogOf("end");
  #trace = new Trace(this.#dialog, (end) => this.#gone(end));
  #session;
  #isGone = false;
  #details = new Map();
  #refresh;

  /** `refresh` has all of the page look again. */
  constructor(refresh) {
    this.#refresh = refresh;
    this.#dialog.addEventListener("close", () => {
      this.#trace.stop();
      this.#session = undefined;
      // The row that had the focus may be gone, and it with it.
      if (this.#isGone) find("#sessions").focus();
      if (location.hash.startsWith("#session=")) history.replaceState(null, "", location.pathname);
    });
    find("[data-action=end]", this.#dialog).addEventListener("click", () => this.#askForEnd());
    onConfirm(this.#end, () => this.#endIt());
    // A session can be pointed at, and the back button closes it.
    addEventListener("hashchange", () => this.#followAddress());
  }

  /** Opens what the page's address points at. */
  begin() {
    this.#followAddress();
  }

  open(session) {
    location.hash = `session=${encodeURIComponent(session)}`;
  }

  /** Brings what is shown up to date. */
  async look() {
    const session = this.#session;
    if (session === undefined || this.#isGone) return;
    try {
      const view = await get(pathOf(session));
      if (session === this.#session) this.#show(view);
    } catch (error) {
      if (error.status !== 404) throw error;
      if (session === this.#session) this.#gone({});
    }
  }

  #followAddress() {
    const session = /^#session=(.+)$/.exec(location.hash)?.[1];
    if (session === undefined) return this.#dialog.close();
    this.#session = decoded(session);
    this.#isGone = false;
    this.#details.clear();
    find("[data-details]", this.#dialog).replaceChildren();
    find("[data-gone]", this.#dialog).hidden = true;
    find("[data-action=end]", this.#dialog).disabled = false;
    for (const name of document.querySelectorAll("dialog [data-name]")) {
      name.textContent = this.#session;
    }
    this.#trace.begin(addressOf(`${pathOf(this.#session)}/trace`));
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#refresh();
  }

  #show(view) {
    const place = find("[data-details]", this.#dialog);
    const entries = Object.entries(describe(view)).map(([term, words]) => {
      const entry = this.#details.get(term) ?? make("div", {}, make("dt", {}, term), make("dd"));
      this.#details.set(term, entry);
      setText(entry.lastElementChild, words);
      return entry;
    });
    arrange(place, entries);
  }

  #gone({ condition, reason }) {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#trace.stop();
    const why = [condition, reason].filter(Boolean).join(", ");
    const words = why === "" ? "This session has ended." : `This session has ended: ${why}.`;
    const place = find("[data-gone]", this.#dialog);
    place.textContent = words;
    place.hidden = false;
    find("[data-action=end]", this.#dialog).disabled = true;
    announce(words);
    this.#refresh();
  }

  #askForEnd() {
    const who = ["Domain", "Client", "Address"]
      .map((term) => this.#details.get(term)?.lastElementChild.textContent)
      .filter(Boolean).join(", ");
    setText(find("[data-who]", this.#end), who);
    show(this.#end);
    find("[name=reason]", this.#end).select();
  }

  async #endIt() {
    const reason = find("[name=reason]", this.#end).value.trim();
    await change("DELETE", pathOf(this.#session), { reason });
    this.#end.close();
    this.#gone({ reason });
  }
}

function pathOf(session) {
  return `sessions/${encodeURIComponent(session)}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What is known of a session, by terms for people. */
function describe(view) {
  const { session: _, transport, state, domain, address, port, userAgent, tls, ...rest } = view;
  const { created, age, idle, streams, held, queued, upstream, ...more } = rest;
  const way = TRANSPORTS[transport] ?? transport;
  const known = {
    "State": SESSION_STATES[state] ?? state,
    "Transport": tls === null ? way : `${way}, ${tls ? "by TLS" : "in the clear"}`,
    "Domain": domain || "not said yet",
    "Address": port ? `${address}:${port}` : address || "not known",
    "Client": userAgent ?? "says nothing of itself",
    "XMPP server": upstream ?? "none yet",
    "Opened": `${moment(created)}, ${duration(age)} ago`,
    "Idle for": duration(idle),
    "Streams": count(streams),
    "Held requests": count(held),
    "Waiting": `${bytes(queued.up)} up, ${bytes(queued.down)} down`,
  };
  for (const [name, value] of Object.entries(more)) {
    if (value !== null && value !== undefined) known[termOf(name)] = plain(name, value);
  }
  return known;
}

const TERMS = {
  acks: "Acknowledgements",
  backedUp: "XMPP server is stuck",
  behindGap: "Behind a gap",
  expires: "Ends in",
  script: "Script syntax",
  streamManagement: "Stream management",
  traces: "Traces being read",
};
const SECONDS = ["wait", "inactivity", "polling", "expires"];

/** Of `maxWait` it makes "Max wait". */
function termOf(name) {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return TERMS[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

function plain(name, value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (SECONDS.includes(name)) return duration(value);
  if (name === "behindGap") return bytes(value);
  return String(value);
}
