import { find, make, setText } from "./dom.js";
import { bytes, count, moment } from "./words.js";

/** Entries that are kept; a busy session would fill any memory. */
const MOST = 500;
const HINT = "What logs somebody in is left out.";

/** What goes through one session, while somebody looks. */
export class Trace {
  #list;
  #words;
  #buttons;
  #onEnded;
  #url;
  #source;
  #isPaused = false;
  /** Came while it was paused. */
  #waiting = [];

  /** `onEnded` is told condition and reason when the session ends. */
  constructor(dialog, onEnded) {
    this.#list = find("[data-trace]", dialog);
    this.#words = find("[data-trace-words]", dialog);
    this.#onEnded = onEnded;
    const button = (action, work) => {
      const found = find(`[data-action=${action}]`, dialog);
      found.addEventListener("click", work);
      return found;
    };
    this.#buttons = {
      trace: button("trace", () => this.#source === undefined ? this.#start() : this.stop()),
      pause: button("pause", () => this.#pause()),
      copy: button("copy", () => this.#copy()),
      clear: button("clear", () => this.#clear()),
    };
  }

  /** Makes ready for a session; nothing is asked for until somebody wants it. */
  begin(url) {
    this.stop();
    this.#url = url;
    this.#clear();
    setText(this.#words, HINT);
  }

  stop() {
    this.#source?.close();
    this.#source = undefined;
    if (this.#isPaused) this.#pause();
    this.#show();
  }

  #start() {
    const source = new EventSource(this.#url);
    this.#source = source;
    const on = (type, take) => source.addEventListener(type, ({ data }) => take(JSON.parse(data)));
    source.addEventListener("open", () => setText(this.#words, "It runs."));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.stop();
      setText(
        this.#words,
        source.readyState === EventSource.CLOSED
          ? "It could not be had."
          : "The connection is lost; it is tried again.",
      );
    });
    on("stanza", (stanza) => this.#take(stanzaItem(stanza)));
    on(
      "missed",
      ({ count: missed }) => this.#take(noteItem(`${count(missed)} not shown: too much at once`)),
    );
    on("ended", (end) => {
      this.#take(noteItem("The session has ended."));
      this.stop();
      setText(this.#words, "It has come to its end.");
      this.#onEnded(end);
    });
    setText(this.#words, "It begins…");
    this.#show();
  }

  #take(item) {
    if (this.#isPaused) {
      this.#waiting.push(item);
      if (this.#waiting.length > MOST) this.#waiting.shift();
      return this.#show();
    }
    this.#add([item]);
  }

  #add(items) {
    const list = this.#list;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...items);
    while (list.children.length > MOST) list.firstElementChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    this.#show();
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    if (!this.#isPaused) this.#add(this.#waiting.splice(0));
    this.#show();
  }

  async #copy() {
    const lines = [...this.#list.children].map((item) => item.dataset.line);
    const text = lines.join("\n");
    try {
      await navigator.clipboard.writeText(text);
      setText(this.#words, `${count(lines.length)} lines copied.`);
    } catch {
      // Where the page came by plain HTTP there is no clipboard; what is marked can be copied.
      getSelection().selectAllChildren(this.#list);
      this.#list.focus();
      setText(this.#words, "Marked: copy it with the keyboard.");
    }
  }

  #clear() {
    this.#list.replaceChildren();
    this.#waiting = [];
    this.#show();
  }

  #show() {
    const { trace, pause, copy, clear } = this.#buttons;
    const runs = this.#source !== undefined;
    setText(trace, runs ? "Stop" : "Start");
    const waiting = this.#waiting.length;
    setText(pause, this.#isPaused ? `Go on${waiting > 0 ? ` (${waiting})` : ""}` : "Pause");
    pause.disabled = !runs;
    copy.disabled = clear.disabled = this.#list.children.length === 0;
  }
}

function stanzaItem({ at, direction, bytes: size, xml }) {
  const time = moment(at);
  const arrow = direction === "up" ? "↑" : "↓";
  const item = make(
    "li",
    { "data-direction": direction },
    make(
      "span",
      { class: "way" },
      `${arrow} `,
      make("b", {}, direction),
      ` ${time}, ${bytes(size)}`,
    ),
    make("code", {}, xml),
  );
  item.dataset.line = `${time} ${arrow} ${xml}`;
  return item;
}

function noteItem(text) {
  const item = make("li", { class: "note" }, text);
  item.dataset.line = text;
  return item;
}
