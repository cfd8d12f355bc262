/** XMPP over WebSocket (RFC 7395) as a page has it, through whatever is in between; it does not log in. */
import { NS } from "../../protocol/xml/names.ts";
import { textContent } from "../../protocol/xml/text.ts";
import { attribute } from "../../protocol/xml/writer.ts";
import { type Element, readElement } from "./elements.ts";
import { isNearly, type Report, seconds } from "./report.ts";
import { answererOf, valuesOf, WebError, type WebHead } from "./web.ts";
import { WebSocketClient } from "./websocket.ts";
import type { World } from "./world.ts";

/** Milliseconds for one answer. */
const PATIENCE = 20_000;

export interface WebSocketProbeOptions {
  readonly domain: string;
  readonly url: URL;
  readonly origin: string;
  readonly world: World;
  readonly report: Report;
}

export class WebSocketProbe {
  readonly #options: WebSocketProbeOptions;
  readonly #target: string;
  readonly #socket: WebSocketClient;

  private constructor(options: WebSocketProbeOptions, socket: WebSocketClient) {
    this.#options = options;
    this.#target = options.url.href;
    this.#socket = socket;
  }

  /** Opens a stream; `undefined` when none comes about. */
  static async open(options: WebSocketProbeOptions): Promise<WebSocketProbe | undefined> {
    const { url, origin, world, report } = options;
    const step = "websocket";
    const target = url.href;
    const begun = world.clock.now();
    let answer: Awaited<ReturnType<typeof WebSocketClient.handshake>>;
    try {
      answer = await WebSocketClient.handshake(url, origin, world, PATIENCE);
    } catch (error) {
      if (!(error instanceof WebError)) throw error;
      const ms = world.clock.now() - begun;
      const detail = `no answer: ${error.message}`;
      const cure = "see whether Causeway runs, and whether the proxy passes this path on to it";
      report({ step, target, result: "bad", detail, cure, ms });
      return undefined;
    }
    const ms = world.clock.now() - begun;
    const fault = handshakeFault(answer.head, answer.accept, origin);
    if (fault !== undefined) {
      answer.drop();
      report({ step, target, result: "bad", ...fault, ms });
      return undefined;
    }
    const detail = "upgraded, with the subprotocol xmpp";
    report({ step, target, result: "ok", detail, ms });
    const probe = new WebSocketProbe(options, answer.begin());
    if (await probe.#openStream()) return probe;
    await probe.abandon();
    return undefined;
  }

  async #openStream(): Promise<boolean> {
    const { domain, world, report } = this.#options;
    const target = this.#target;
    const step = "websocket stream";
    const begun = world.clock.now();
    const bad = (detail: string, cure: string) => {
      report({ step, target, result: "bad", detail, cure, ms: world.clock.now() - begun });
      return false;
    };
    try {
      const to = attribute("to", domain);
      await this.#socket.send(`<open xmlns='${NS.FRAMING}'${to} version='1.0'/>`);
    } catch (error) {
      // What ended it is known to whoever reads.
      if (!(error instanceof WebError)) throw error;
    }
    let other = "";
    for (let message; (message = await this.#socket.next(PATIENCE)) !== undefined;) {
      const element = readElement(message);
      const { name, namespace } = element?.root ?? {};
      if (element !== undefined && namespace === NS.STREAMS && name === "features") {
        const detail = `a stream for ${domain}, with its features`;
        report({ step, target, result: "ok", detail, ms: world.clock.now() - begun });
        return true;
      }
      if (element !== undefined && namespace === NS.STREAMS && name === "error") {
        return bad(...refused(element, domain));
      }
      if (name === "open" && namespace === NS.FRAMING) continue;
      other = `something else came (${message.slice(0, 60)})`;
      break;
    }
    const why = other || (this.#socket.end ?? `nothing for ${PATIENCE / 1_000} s`);
    return bad(
      `<open/> was not answered with a stream: ${why}`,
      "the upgrade passes and what comes after it does not: have the proxy pass on what comes as it comes, unbuffered",
    );
  }

  /** Is silent for so many seconds, and then sees whether it is still connected. */
  async survive(wait: number): Promise<void> {
    // Who has not logged in is often given just as long as a request may be held, and a ping is to come.
    const silence = wait * 950;
    const { world, report } = this.#options;
    const target = this.#target;
    const step = "websocket silence";
    const begun = world.clock.now();
    const before = this.#socket.pings;
    await this.#socket.change(silence);
    const ms = world.clock.now() - begun;
    const pings = `pings of Causeway's in that time: ${this.#socket.pings - before}`;
    // A message behind the features is the stream's error or its end: nobody has logged in. What is in
    // between says nothing of the kind.
    const isOver = this.#socket.hasMessage;
    if ((this.#socket.end === undefined && !isOver) || (isOver && isNearly(ms, wait))) {
      const detail = `silent for ${seconds(ms)} s, and not cut (${pings})`;
      return report({ step, target, result: "ok", detail, ms });
    }
    if (isOver) {
      return report({
        step,
        target,
        result: "warning",
        detail: `the stream ended after ${seconds(ms)} s of ${wait}, for nobody logged in`,
        cure:
          "longer than that was not tried: have websocket.ping_interval below the proxy's time for an answer",
        ms,
      });
    }
    report({
      step,
      target,
      result: "bad",
      detail: `${this.#socket.isClosed ? this.#socket.end : "the connection was cut"} after ${
        seconds(ms)
      } s of silence (${pings})`,
      cure:
        "have websocket.ping_interval below the time that the proxy gives a silent connection (nginx: proxy_read_timeout, " +
        "haproxy: timeout tunnel); causeway proxy NAME prints a configuration that fits",
      ms,
    });
  }

  /** Pings, and ends the stream in good order. */
  async end(): Promise<void> {
    const { world, report } = this.#options;
    const target = this.#target;
    const socket = this.#socket;
    // The silence has said why.
    if (socket.end !== undefined || socket.hasMessage) return await this.abandon();
    const begun = world.clock.now();
    const ms = () => world.clock.now() - begun;
    try {
      const answered = await socket.ping(PATIENCE);
      report({
        step: "ping",
        target,
        result: answered ? "ok" : "bad",
        detail: answered ? "answered" : `not answered: ${socket.end ?? "nothing came"}`,
        ...(answered ? {} : { cure: "have the proxy pass on frames of a WebSocket as they come" }),
        ms: ms(),
      });
      await socket.send(`<close xmlns='${NS.FRAMING}'/>`);
      const message = await socket.next(PATIENCE);
      const isClosed = message !== undefined && readElement(message)?.root.name === "close";
      report({
        step: "close",
        target,
        result: isClosed ? "ok" : "warning",
        detail: isClosed
          ? "the stream was closed in good order"
          : `<close/> was not answered: ${socket.end ?? "something else came"}`,
        ...(isClosed ? {} : { cure: "look into Causeway's log; clients cope" }),
        ms: ms(),
      });
    } catch (error) {
      if (!(error instanceof WebError)) throw error;
      const cure = "have the proxy leave a WebSocket alone that is in use";
      report({ step: "ping", target, result: "bad", detail: error.message, cure, ms: ms() });
    }
    await this.abandon();
  }

  /** Ends it, whatever state it is in. */
  abandon(): Promise<void> {
    return this.#socket.hangUp();
  }
}

/** What is wrong with the answer to the handshake (RFC 6455 §4.1). */
function handshakeFault(
  head: WebHead,
  accept: string,
  origin: string,
): { readonly detail: string; readonly cure: string } | undefined {
  const { status } = head;
  const detail = `no upgrade: status ${status}, answered by ${answererOf(head)}`;
  if (status === 403) {
    return { detail, cure: `add "${origin}" to http.allowed_origins, or see the proxy's rules` };
  }
  if (status === 404) {
    return {
      detail,
      cure:
        "correct the path: websocket.path of Causeway (/xmpp-websocket) and the proxy's location for it must be the same",
    };
  }
  if (status >= 502 && status <= 504) {
    return {
      detail,
      cure: "see whether Causeway runs, and whether the proxy has the address that it listens on",
    };
  }
  if (status !== 101) {
    return {
      detail,
      cure:
        "have the proxy pass the upgrade on (nginx: proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and " +
        "Connection upgrade; Apache: upgrade=websocket); causeway proxy NAME prints a configuration that does",
    };
  }
  if (valuesOf(head, "sec-websocket-accept").join() !== accept) {
    return {
      detail: "what upgraded the connection did not do so for this request (Sec-WebSocket-Accept)",
      cure: UPGRADER,
    };
  }
  if (valuesOf(head, "sec-websocket-protocol").join() !== "xmpp") {
    return {
      detail: "upgraded without the subprotocol xmpp, so clients give it up",
      cure: UPGRADER,
    };
  }
  return undefined;
}

const UPGRADER =
  "have the proxy pass Sec-WebSocket-* on both ways, and see that Causeway is what answers there";

function refused({ children }: Element, domain: string): [detail: string, cure: string] {
  const names = children.map(({ name, bytes }) => name === "text" ? textContent(bytes) : name);
  const detail = names.join(": ");
  return children.some(({ name }) => name === "host-unknown")
    ? [
      `${domain} is not served there (${detail})`,
      `add [domains."${domain}"] to Causeway's configuration, or correct the name`,
    ]
    : [detail, "Causeway's log says more, and so do the lines about the XMPP server"];
}
