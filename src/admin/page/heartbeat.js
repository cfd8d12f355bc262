import { announce, find, setText } from "./dom.js";
import { Refused, Unreachable } from "./api.js";
import { duration, moment } from "./words.js";

/** Milliseconds between two looks. */
const EVERY = 5_000;
/** After a failure it is tried sooner: whoever restarts Causeway waits for it. */
const AGAIN = 2_000;

/** Has the page look at Causeway every few seconds while somebody may see it, and says when it cannot. */
export class Heartbeat {
  #look;
  #timer;
  #isLooking = false;
  #isWanted = false;
  #lostSince;
  #lastSeen = Date.now();
  #why = "";

  /** `look` rejects with `Unreachable` when Causeway is not there. */
  constructor(look) {
    this.#look = look;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(this.#timer);
      else this.now();
    });
    setInterval(() => this.#show(), 1_000);
  }

  /** Looks at once. */
  async now() {
    clearTimeout(this.#timer);
    if (this.#isLooking) {
      this.#isWanted = true;
      return;
    }
    this.#isLooking = true;
    try {
      await this.#look();
      this.#seen();
    } catch (error) {
      this.#failed(error);
    }
    this.#isLooking = false;
    if (this.#isWanted) {
      this.#isWanted = false;
      return this.now();
    }
    const wait = this.#lostSince === undefined ? EVERY : AGAIN;
    if (!document.hidden) this.#timer = setTimeout(() => this.now(), wait);
  }

  #seen() {
    const wasLost = this.#lostSince !== undefined;
    this.#lastSeen = Date.now();
    this.#lostSince = undefined;
    if (wasLost) announce("Causeway answers again.");
    this.#show();
  }

  #failed(error) {
    if (!(error instanceof Unreachable) && !(error instanceof Refused)) return reportError(error);
    this.#why = error.message;
    if (this.#lostSince === undefined) {
      this.#lostSince = this.#lastSeen;
      announce(`The connection to Causeway is lost: ${this.#why}.`);
    }
    this.#show();
  }

  #show() {
    const banner = find("[data-lost]");
    const since = this.#lostSince;
    banner.hidden = since === undefined;
    document.body.classList.toggle("stale", since !== undefined);
    if (since === undefined) return;
    const ago = duration((Date.now() - since) / 1000);
    setText(
      banner,
      `No connection to Causeway since ${moment(since)} (${ago} ago): ${this.#why}. ` +
        "What is shown is from then.",
    );
  }
}
