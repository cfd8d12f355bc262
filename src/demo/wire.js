/**
 * The wire log: what one person's connection really sends and receives, as
 * text, coloured. Stanza data enters the page as text nodes only.
 */

const MAX_ENTRIES = 200;
const STANZAS = new Set(["message", "presence", "iq"]);
/** What SASL elements hold is a password, or nearly one (RFC 6120 §6.4). */
const SECRETIVE = new Set(["auth", "challenge", "response", "success"]);

/**
 * Tells `seen` of everything that the connection sends and receives, byte for byte.
 *
 * @param {(entry: WireEntry) => void} seen
 */
export function watch(connection, transport, seen) {
  connection.rawOutput = (text) => {
    const rid = transport === "bosh" ? Number(/\srid=['"](\d+)/.exec(text)?.[1]) : undefined;
    seen(new WireEntry({ direction: "up", transport, rid, text }));
  };
  if (transport === "websocket") {
    connection.rawInput = (text) => seen(new WireEntry({ direction: "down", transport, text }));
    return;
  }
  // For BOSH, Strophe gives `rawInput` the answer written anew from its tree and without its
  // rid. Where it takes the answer from the request, both are still what they were.
  const bosh = connection._proto;
  const read = bosh._reqToData;
  bosh._reqToData = (request) => {
    const text = request.xhr.responseText;
    if (text !== "") seen(new WireEntry({ direction: "down", transport, rid: request.rid, text }));
    return read.call(bosh, request);
  };
}

/** What one HTTP body or WebSocket message carries. */
export class WireEntry {
  /** @param {{ direction: "up" | "down", transport: "bosh" | "websocket", rid?: number, text: string }} seen */
  constructor({ direction, transport, rid, text }) {
    this.direction = direction;
    this.transport = transport;
    this.rid = rid;
    this.text = text;
    this.bytes = new TextEncoder().encode(text).length;
    const root = new DOMParser().parseFromString(text, "text/xml").documentElement;
    this.payloads = transport === "bosh" ? [...root.children] : [root];
    this.wrapper = transport === "bosh" ? root : undefined;
  }

  /** How many of the payloads are stanzas. */
  get stanzas() {
    return this.payloads.filter((payload) => STANZAS.has(payload.localName)).length;
  }

  /** The entry in a word or two. */
  get summary() {
    if (this.payloads.length > 0) return this.payloads.map(describe).join(", ");
    const { wrapper } = this;
    if (wrapper.getAttribute("type") === "terminate") return "goodbye";
    if (this.direction === "down") return "nothing new";
    if (!wrapper.hasAttribute("sid")) return "new session";
    return wrapper.hasAttributeNS("urn:xmpp:xbosh", "restart") ? "stream restart" : "long poll";
  }
}

/** Shows entries in a list, the newest last, and keeps the end in sight. */
export class WireLog {
  #list;

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.#list = list;
  }

  /** @param {WireEntry} entry */
  add(entry) {
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(show(entry));
    while (list.childElementCount > MAX_ENTRIES) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  clear() {
    this.#list.replaceChildren();
  }
}

/** @param {WireEntry} entry */
function show(entry) {
  const item = document.createElement("li");
  item.className = entry.direction;
  item.dataset.direction = entry.direction;
  item.dataset.transport = entry.transport;
  const arrow = span("arrow", entry.direction === "up" ? "↑" : "↓");
  arrow.setAttribute("aria-label", entry.direction === "up" ? "sent" : "received");
  const tag = span("tag", entry.transport === "bosh" ? "BOSH" : "WebSocket");
  const head = document.createElement("div");
  head.append(arrow, tag, span("summary", entry.summary));
  if (entry.rid !== undefined) {
    item.dataset.rid = String(entry.rid);
    const rid = span("rid", `rid …${String(entry.rid).slice(-4)}`);
    rid.title = `rid ${entry.rid}`;
    head.append(rid);
  }
  head.append(span("size", `${entry.bytes} B`));
  const code = document.createElement("code");
  code.append(...colour(entry.text, entry.transport === "bosh"));
  item.append(head, code);
  return item;
}

/** @param {Element} payload */
function describe(payload) {
  const type = payload.getAttribute("type");
  if (payload.localName === "iq") {
    const [content] = payload.children;
    return `iq ${type}${content === undefined ? "" : ` · ${content.localName}`}`;
  }
  if (payload.localName === "presence") return `presence ${type ?? "available"}`;
  if (payload.localName === "auth") return `auth ${payload.getAttribute("mechanism")}`;
  return payload.localName;
}

/**
 * The XML as nodes, an element a line; what is inside SASL elements is an ellipsis.
 * `wrapped`: the outermost element is BOSH's wrapper, which steps back.
 */
function* colour(text, wrapped) {
  const open = [];
  let previous = "";
  for (const [token] of text.matchAll(/<(?:"[^"]*"|'[^']*'|[^"'>])*>|[^<]+/g)) {
    if (!token.startsWith("<")) {
      const inSecret = open.some((name) => SECRETIVE.has(name));
      yield span("text", inSecret ? "…" : token);
      previous = "text";
      continue;
    }
    const [, slash, name, inside, empty] = /^<([/?]?)([^\s/>?]+)(.*?)([/?]?)>$/s.exec(token);
    if (slash === "/") open.pop();
    const breaks = previous !== "" && !(slash === "/" && previous !== "closed");
    if (breaks) yield document.createTextNode(`\n${"  ".repeat(open.length)}`);
    const isWrapper = wrapped && open.length === 0;
    const tag = span(isWrapper ? "element wrapper" : "element", "");
    tag.append(span("mark", `<${slash}`), span("name", name));
    for (const [space, attribute, value] of attributes(inside)) {
      tag.append(space, span("attribute", attribute), span("mark", "="), span("value", value));
    }
    tag.append(span("mark", `${empty}>`));
    yield tag;
    if (slash === "" && empty === "") open.push(name.replace(/^.*:/, ""));
    previous = slash === "/" || empty !== "" ? "closed" : "opened";
  }
}

function* attributes(inside) {
  for (const [, space, name, value] of inside.matchAll(/(\s+)([^\s=]+)\s*=\s*("[^"]*"|'[^']*')/g)) {
    yield [space, name, value];
  }
}

function span(className, text) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}
