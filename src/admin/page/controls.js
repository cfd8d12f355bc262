import { change, get } from "./api.js";
import { dialogOf, onConfirm, show, showMistake } from "./dialog.js";
import { announce, find, make, setText } from "./dom.js";
import { count, duration } from "./words.js";

const STATES = { serving: "Serving", draining: "Draining", stopping: "Stopping" };

/** The head of the page: what Causeway is doing, and what it can be told to do. */
export class Controls {
  #level = find("[data-log-level]");
  #drainButton = find("[data-action=drain]");
  #drain = dialogOf("drain");
  #reload = dialogOf("reload");
  #config = dialogOf("config");
  #state;
  #sessions = 0;
  #refresh;

  /** `refresh` has all of the page look again. */
  constructor(refresh) {
    this.#refresh = refresh;
    this.#level.addEventListener("change", () => this.#setLevel());
    this.#drainButton.addEventListener("click", () => this.#askForDrain());
    onConfirm(this.#drain, () => this.#drainOrNot());
    find("[data-action=reload]").addEventListener("click", () => this.#askForReload());
    onConfirm(this.#reload, () => this.#reloadIt());
    find("[data-action=config]").addEventListener("click", () => this.#showConfig());
  }

  async look() {
    const status = await get("status");
    const { state, version, uptime, sessions, logLevel, listeners } = status;
    this.#sessions = sessions.total;
    this.#showState(state);
    this.#fact("version", version);
    this.#fact("uptime", duration(uptime));
    this.#fact("sessions", count(sessions.total));
    this.#fact(
      "listeners",
      listeners.map(({ url, serve }) => `${url} (${serve.join(", ")})`).join(", "),
    );
    document.title = state === "serving"
      ? `${count(sessions.total)} sessions · Causeway`
      : `${STATES[state] ?? state} · Causeway`;
    // Whoever has it open is choosing.
    if (document.activeElement !== this.#level) this.#level.value = logLevel;
    this.#level.disabled = false;
  }

  #showState(state) {
    const word = STATES[state] ?? state;
    if (this.#state !== undefined && this.#state !== state) {
      announce(`Causeway is ${word.toLowerCase()} now.`);
    }
    this.#state = state;
    const place = find(".state");
    place.dataset.state = state;
    setText(find("[data-state-word]"), word);
    setText(this.#drainButton, state === "draining" ? "Serve again…" : "Drain…");
    this.#drainButton.disabled = state === "stopping";
  }

  #fact(name, text) {
    setText(find(`[data-fact=${name}]`), text);
  }

  async #setLevel() {
    try {
      const { level } = await change("PUT", "log-level", { level: this.#level.value });
      announce(`The log level is ${level ?? this.#level.value} now.`);
    } catch (error) {
      announce(`The log level stays: ${error.message}.`);
      this.#level.blur();
      this.#refresh();
    }
  }

  #askForDrain() {
    const isDraining = this.#state === "draining";
    setText(find("[data-title]", this.#drain), isDraining ? "Serve again?" : "Drain Causeway?");
    const sessions = this.#sessions === 1
      ? "One session stays"
      : `${count(this.#sessions)} sessions stay`;
    setText(
      find("[data-words]", this.#drain),
      isDraining
        ? "New sessions are opened again, and readiness says yes."
        : `${sessions} as long as their clients do. New ones are refused, and readiness says no, so that a load balancer sends clients elsewhere.`,
    );
    setText(find("[data-confirm]", this.#drain), isDraining ? "Serve again" : "Drain");
    show(this.#drain);
  }

  async #drainOrNot() {
    const { state } = await change("POST", this.#state === "draining" ? "undrain" : "drain");
    this.#showState(state);
  }

  #askForReload() {
    find("[data-report]", this.#reload).replaceChildren();
    show(this.#reload);
  }

  async #reloadIt() {
    let report;
    try {
      report = await change("POST", "reload");
    } catch (error) {
      // Mistakes of the configuration are no mistake of this page's.
      if (error.status !== 422 || !Array.isArray(error.body?.mistakes)) throw error;
      report = error.body;
    }
    showReport(find("[data-report]", this.#reload), report);
    this.#refresh();
    return report;
  }

  async #showConfig() {
    find("[data-config]", this.#config).textContent = "…";
    show(this.#config);
    try {
      const config = await get("config");
      find("[data-config]", this.#config).textContent = JSON.stringify(config, null, 2);
    } catch (error) {
      showMistake(this.#config, error);
    }
  }
}

function showReport(place, { applied = [], restart = [], mistakes = [] }) {
  const list = (title, entries, className) =>
    entries.length === 0 ? [] : [
      make("h3", { class: className }, title),
      make("ul", {}, ...entries.map((entry) => make("li", {}, entry))),
    ];
  const parts = [
    ...list("Mistakes: nothing has changed", mistakes, "bad"),
    ...list("Applied", applied, "good"),
    ...list("Wants a restart", restart, "warn"),
  ];
  place.replaceChildren(
    ...(parts.length > 0 ? parts : [make("p", {}, "Nothing has changed in it.")]),
  );
  announce([...place.children].map(({ textContent }) => textContent).join(" "));
}
