import { get } from "./api.js";
import { announce, arrange, find, make, setText } from "./dom.js";
import { bytes, count, duration, SESSION_STATES, TRANSPORTS } from "./words.js";

const PAGE = 25;
/** Milliseconds after the last key. */
const TYPING = 250;

/** The table of sessions: search, order, pages. */
export class Sessions {
  #form = find("[data-search]");
  #rows = find("[data-rows]");
  /** By session. */
  #shown = new Map();
  #sort = "age";
  #order = "asc";
  /** Where the pages begin that were turned, the first of them at the beginning. */
  #cursors = [undefined];
  #next = null;
  /** Counts what was asked. */
  #asked = 0;
  /** Settles when what was asked last is shown; an answer that it has overtaken is not. */
  #newest;
  #open;
  #refresh;

  /** `open` shows a session; `refresh` has all of the page look again. */
  constructor({ open, refresh }) {
    this.#open = open;
    this.#refresh = refresh;
    let typing;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search();
    });
    this.#form.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#search(), TYPING);
    });
    for (const header of document.querySelectorAll("[data-sort]")) {
      find("button", header).addEventListener("click", () => this.#sortBy(header.dataset.sort));
    }
    find("[data-page=on]").addEventListener("click", () => {
      if (this.#next === null) return;
      this.#cursors.push(this.#next);
      // Whoever is quicker than the answer turns one page.
      this.#next = null;
      this.#turn();
    });
    find("[data-page=back]").addEventListener("click", () => {
      this.#cursors.pop();
      this.#turn();
    });
    this.#showOrder();
  }

  look() {
    return this.#newest = this.#ask(++this.#asked);
  }

  async #ask(asked) {
    const { search, transport, state } = Object.fromEntries(new FormData(this.#form));
    const cursor = this.#cursors.at(-1);
    const found = await get("sessions", {
      search: search.trim(),
      ...{ transport, state, cursor, sort: this.#sort, order: this.#order, limit: PAGE },
    });
    if (asked !== this.#asked) return this.#newest;
    // Sessions end: a page that was there may not be there any more.
    if (found.sessions.length === 0 && this.#cursors.length > 1) {
      this.#cursors.pop();
      return this.look();
    }
    this.#next = found.next;
    this.#show(found);
  }

  #show({ sessions, total }) {
    const rows = sessions.map((view) => {
      const row = this.#shown.get(view.session) ?? new SessionRow(view, this.#open);
      row.show(view);
      return row;
    });
    this.#shown = new Map(rows.map((row) => [row.session, row]));
    arrange(this.#rows, rows.map(({ element }) => element));
    const first = (this.#cursors.length - 1) * PAGE + 1;
    setText(find("[data-found]"), total === 1 ? "1 session" : `${count(total)} sessions`);
    find("[data-no-sessions]").hidden = total > 0;
    find(".pages").hidden = total <= PAGE && this.#cursors.length === 1;
    setText(
      find("[data-page-words]"),
      `${count(first)} to ${count(first + sessions.length - 1)} of ${count(total)}`,
    );
    this.#enable(find("[data-page=back]"), this.#cursors.length > 1, find("[data-page=on]"));
    this.#enable(find("[data-page=on]"), this.#next !== null, find("[data-page=back]"));
  }

  /** A button that is switched off under somebody's finger hands the focus to the other one. */
  #enable(button, isEnabled, other) {
    const hadFocus = document.activeElement === button;
    button.disabled = !isEnabled;
    if (hadFocus && !isEnabled) {
      other.disabled = false;
      other.focus();
    }
  }

  async #search() {
    this.#cursors = [undefined];
    await this.#turn();
    announce(`${find("[data-found]").textContent} found.`);
  }

  #sortBy(key) {
    if (this.#sort === key) this.#order = this.#order === "asc" ? "desc" : "asc";
    else [this.#sort, this.#order] = [key, key === "queued" ? "desc" : "asc"];
    this.#cursors = [undefined];
    this.#showOrder();
    return this.#turn();
  }

  async #turn() {
    try {
      await this.look();
    } catch {
      // The whole page says what is the matter.
      this.#refresh();
    }
  }

  #showOrder() {
    for (const header of document.querySelectorAll("[data-sort]")) {
      const isSorted = header.dataset.sort === this.#sort;
      if (isSorted) {
        header.setAttribute("aria-sort", this.#order === "asc" ? "ascending" : "descending");
      } else header.removeAttribute("aria-sort");
    }
  }
}

/** A row, which stays the same element for as long as its session is shown: it may have the focus. */
class SessionRow {
  session;
  element;
  #cells = {};

  constructor({ session }, open) {
    this.session = session;
    const name = make("button", { type: "button", class: "name" }, session);
    this.element = make(
      "tr",
      { role: "row", "data-session": session },
      make("th", { role: "rowheader", scope: "row" }, name, this.#cell("transport", "small")),
      this.#column("Domain", "domain"),
      this.#column("State", "state"),
      this.#column("Address", "address"),
      this.#column("Client", "userAgent"),
      this.#column("Age", "age", "number"),
      this.#column("Idle", "idle", "number"),
      this.#column("Waiting", "queued", "number"),
    );
    this.element.addEventListener("click", () => {
      // Whoever has marked something wants to copy it.
      if (document.getSelection().isCollapsed) open(session);
    });
  }

  show(view) {
    const { transport, domain, state, address, port, userAgent, age, idle, queued, tls } = view;
    this.element.dataset.state = state;
    const way = TRANSPORTS[transport] ?? transport;
    const { up, down } = queued;
    const waiting = [up > 0 ? `↑ ${bytes(up)}` : "", down > 0 ? `↓ ${bytes(down)}` : ""];
    const words = {
      transport: tls ? `${way}, TLS` : way,
      domain,
      state: SESSION_STATES[state] ?? state,
      address: port ? `${address}:${port}` : address || "–",
      userAgent: userAgent ?? "–",
      age: duration(age),
      idle: duration(idle),
      queued: waiting.join(" ").trim() || "–",
    };
    for (const [name, cell] of Object.entries(this.#cells)) setText(cell, words[name]);
  }

  #column(label, name, className) {
    const cell = this.#cell(name, "span");
    return make(
      "td",
      { role: "cell", "data-label": label, "data-cell": name, class: className },
      cell,
    );
  }

  #cell(name, element) {
    return this.#cells[name] = make(element, {});
  }
}
