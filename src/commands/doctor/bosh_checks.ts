/** A BOSH session (XEP-0124) as a page has one, through whatever is in between; it does not log in. */
import { NS } from "../../protocol/xml/names.ts";
import { attribute } from "../../protocol/xml/writer.ts";
import { corsFault } from "./cors.ts";
import { type Element, readElement } from "./elements.ts";
import { notBosh, refused } from "./bosh_refusals.ts";
import { isNearly, type Report, seconds } from "./report.ts";
import { answererOf, ask, type WebAnswer, WebError } from "./web.ts";
import type { World } from "./world.ts";

/** Milliseconds by which an answer may come later than it was given. */
const LATE = 10_000;

export interface BoshProbeOptions {
  readonly domain: string;
  readonly url: URL;
  /** What a browser would say of the page. */
  readonly origin: string;
  /** Seconds that are asked for. */
  readonly wait: number;
  readonly world: World;
  readonly report: Report;
}

export class BoshProbe {
  readonly #options: BoshProbeOptions;
  readonly #target: string;
  #rid = Math.floor(1_000_000 + Math.random() * 4_000_000_000);
  #sid = "";
  /** The session is over. */
  #over = false;
  /** Seconds that were granted. */
  wait: number;

  private constructor(options: BoshProbeOptions) {
    this.#options = options;
    this.#target = options.url.href;
    this.wait = options.wait;
  }

  /** Creates a session; `undefined` when none comes about. */
  static async create(options: BoshProbeOptions): Promise<BoshProbe | undefined> {
    const probe = new BoshProbe(options);
    return await probe.#create() ? probe : undefined;
  }

  async #create(): Promise<boolean> {
    const { domain, origin, report, world } = this.#options;
    const target = this.#target;
    const begun = world.clock.now();
    const bad = (detail: string, cure: string) => {
      report({ step: "bosh", target, result: "bad", detail, cure, ms: world.clock.now() - begun });
      return false;
    };
    let answer: WebAnswer;
    try {
      answer = await this.#askForOne();
    } catch (error) {
      if (!(error instanceof WebError)) throw error;
      return bad(`no answer: ${error.message}`, UNREACHED);
    }
    const ms = world.clock.now() - begun;
    const cors = corsFault(answer, origin);
    report({
      step: "cors",
      target,
      result: cors === undefined ? "ok" : "bad",
      detail: `pages of ${origin} may read what is answered to a POST`,
      ...cors,
    });
    const element = answer.status === 200 ? bodyOf(answer) : undefined;
    if (element === undefined) return bad(...notBosh(answer, origin));
    const get = (name: string) => element.root.attributes.get(name);
    const sid = get("sid");
    if (get("type") === "terminate" || sid === undefined) {
      this.#over = true;
      return bad(...refused(element, domain));
    }
    this.#sid = sid;
    // No longer than was asked for, whatever somebody says.
    const granted = Number(get("wait") ?? "");
    if (granted >= 0) this.wait = Math.min(this.wait, granted);
    const detail = `a session for ${domain}: wait ${this.wait} s, hold ${
      get("hold") ?? "?"
    }, inactivity ${get("inactivity") ?? "?"} s`;
    report({ step: "bosh", target, result: "ok", detail, ms });
    return true;
  }

  #askForOne(): Promise<WebAnswer> {
    this.#sid = "";
    return this.#post(
      `${attribute("to", this.#options.domain)}${
        attribute("wait", this.wait)
      } hold='1' ver='1.6' ` +
        `xml:lang='en' xmpp:version='1.0' xmlns:xmpp='${NS.XBOSH}'`,
    );
  }

  /** A request that is held for as long as it may be. */
  async hold(): Promise<void> {
    const { world, report } = this.#options;
    const target = this.#target;
    const step = "hold";
    // What the creation has not brought yet may come first.
    for (let attempt = 1; attempt <= 3; attempt++) {
      const begun = world.clock.now();
      const since = () => world.clock.now() - begun;
      let answer: WebAnswer;
      try {
        answer = await this.#post("", this.wait * 1_000 + LATE);
      } catch (error) {
        if (!(error instanceof WebError)) throw error;
        const ms = since();
        const isLate = ms >= this.wait * 1_000;
        const detail = isLate
          ? `a request that may be held for ${this.wait} s has no answer after ${seconds(ms)} s`
          : `a held request was cut after ${seconds(ms)} s of ${this.wait} (${error.message})`;
        return report({
          step,
          target,
          result: "bad",
          detail,
          cure: isLate ? BUFFERS : this.#timeout(),
          ms,
        });
      }
      const ms = since();
      const element = answer.status === 200 ? bodyOf(answer) : undefined;
      if (element === undefined) {
        const detail = `a held request was answered ${answer.status} after ${
          seconds(ms)
        } s of ${this.wait}, by ${answererOf(answer)} and not by Causeway`;
        return report({ step, target, result: "bad", detail, cure: this.#timeout(), ms });
      }
      const isWhole = isNearly(ms, this.wait);
      if (element.root.attributes.get("type") === "terminate") {
        this.#over = true;
        const why = refused(element, this.#options.domain)[0];
        return isWhole
          ? report({ step, target, result: "ok", detail: held(ms, this.wait), ms })
          : report({
            step,
            target,
            result: "warning",
            detail: `held for ${
              seconds(ms)
            } s of ${this.wait}; then the session ended (${why}), for nobody logged in`,
            cure:
              "longer than that was not tried: have bosh.max_wait below the proxy's time for an answer",
            ms,
          });
      }
      if (element.children.length > 0) continue;
      if (isWhole) return report({ step, target, result: "ok", detail: held(ms, this.wait), ms });
      return report({
        step,
        target,
        result: "warning",
        detail: `an empty answer came after ${seconds(ms)} s of ${this.wait}`,
        cure:
          "somebody in between ends long polls early, which costs requests: see its time for an answer",
        ms,
      });
    }
    const detail = "the server sends so much that no request is held";
    report({ step, target, result: "skipped", detail });
  }

  /** Ends the session, and sees whether an answer comes when it is given, with two requests at once. */
  async end(): Promise<void> {
    const { world, report } = this.#options;
    const target = this.#target;
    const step = "buffering";
    let begun = world.clock.now();
    try {
      if (this.#over) {
        // Nobody logged in, and the time for that is often over with that of a held request.
        this.#sid = bodyOf(await this.#askForOne())?.root.attributes.get("sid") ?? "";
        this.#over = false;
        begun = world.clock.now();
      }
      const held = this.#post("", LATE);
      // Who ends the session answers both; without `allSettled` the other one's error would be nobody's.
      const ended = pause(world, 250).then(() => this.#post("type='terminate'", LATE));
      const [first, second] = await Promise.allSettled([held, ended]);
      if (first.status === "rejected") throw first.reason;
      if (second.status === "rejected") throw second.reason;
      const ms = world.clock.now() - begun;
      const ok = first.value.status === 200 && second.value.status === 200 && ms < 3_000;
      report({
        step,
        target,
        result: ok ? "ok" : "bad",
        detail: ok
          ? "two requests at a time pass, and answers come when they are given"
          : `two requests at a time were answered ${first.value.status} and ${second.value.status} after ${
            seconds(ms)
          } s`,
        ...(ok ? {} : { cure: BUFFERS }),
        ms,
      });
    } catch (error) {
      if (!(error instanceof WebError)) throw error;
      const ms = world.clock.now() - begun;
      const detail = `two requests at a time were not answered within ${
        seconds(ms)
      } s: ${error.message}`;
      report({ step, target, result: "bad", detail, cure: BUFFERS, ms });
    }
    this.#over = true;
  }

  /** Ends the session whatever comes of it. */
  async abandon(): Promise<void> {
    if (this.#over || this.#sid === "") return;
    this.#over = true;
    try {
      await this.#post("type='terminate'", LATE);
    } catch (error) {
      if (!(error instanceof WebError)) throw error;
    }
  }

  #timeout(): string {
    return `give the proxy more than ${this.wait} s for an answer (nginx: proxy_read_timeout, haproxy: timeout server, ` +
      "Apache: ProxyTimeout), or have bosh.max_wait below what it gives; causeway proxy NAME prints a configuration that fits";
  }

  #post(attributes: string, timeout = 30_000): Promise<WebAnswer> {
    const { url, origin, world } = this.#options;
    const sid = this.#sid === "" ? "" : attribute("sid", this.#sid);
    const body = `<body xmlns='${NS.HTTPBIND}' rid='${this.#rid++}'${sid} ${attributes}/>`;
    const headers = { "Origin": origin, "Content-Type": "text/xml; charset=utf-8" };
    return ask({ method: "POST", url, headers, body }, world, timeout);
  }
}

const UNREACHED = "see whether Causeway runs, and whether the proxy passes this path on to it";
const BUFFERS =
  "have the proxy pass on what comes as it comes, and as many requests at a time as there are (nginx: proxy_buffering off); " +
  "causeway proxy NAME prints a configuration that does";

function held(ms: number, wait: number): string {
  return `a request was held for ${seconds(ms)} s of ${wait}, and answered by Causeway`;
}

function bodyOf({ body }: WebAnswer): Element | undefined {
  const element = readElement(body);
  return element?.root.name === "body" && element.root.namespace === NS.HTTPBIND
    ? element
    : undefined;
}

function pause(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => void world.clock.after(ms, { wake: resolve }));
}
