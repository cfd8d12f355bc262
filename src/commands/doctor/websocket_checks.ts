/** XMPP over WebSocket (RFC 7395) as a page has it, through whatever is in between; it does not log in. */
import { createHash } from "node:crypto";
import { NS } from "../../protocol/xml/names.ts";
import { attribute } from "../../protocol/xml/writer.ts";
import { OPCODE } from "../../protocol/rfc6455/frame.ts";
import { seconds } from "./bosh_checks.ts";
import { type Element, readElement } from "./elements.ts";
import type { Report } from "./report.ts";
import { answererOf, valuesOf, WebConnection, WebError, type WebHead } from "./web.ts";
import type { World } from "./world.ts";

/** Milliseconds for one answer. */
const PATIENCE = 20_000;
const NEARLY = 0.9;
/** Bytes of one message that are taken. */
const MAX_MESSAGE = 4_194_304;

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
  readonly #connection: WebConnection;
  readonly #messages: string[] = [];
  #pings = 0;
  #pong: (() => void) | undefined;
  #came: (() => void) | undefined;
  /** Why there is nothing more to come. */
  #end: string | undefined;
  #isClosed = false;
  #reading: Promise<void> = Promise.resolve();

  private constructor(options: WebSocketProbeOptions, connection: WebConnection) {
    this.#options = options;
    this.#target = options.url.href;
    this.#connection = connection;
  }

  /** Opens a stream; `undefined` when none comes about. */
  static async open(options: WebSocketProbeOptions): Promise<WebSocketProbe | undefined> {
    const { url, origin, world, report } = options;
    const step = "websocket";
    const target = url.href;
    const begun = world.clock.now();
    const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
    let connection: WebConnection | undefined;
    let head: WebHead;
    try {
      connection = await WebConnection.open(url, world);
      const opened = connection;
      const late = world.clock.after(PATIENCE, { wake: () => opened[Symbol.dispose]() });
      try {
        const headers = {
          "Upgrade": "websocket",
          "Connection": "Upgrade",
          "Sec-WebSocket-Key": key,
          "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Protocol": "xmpp",
          "Origin": origin,
        };
        await opened.send({ method: "GET", url, headers });
        head = await opened.head();
      } finally {
        late.cancel();
      }
    } catch (error) {
      connection?.[Symbol.dispose]();
      if (!(error instanceof WebError)) throw error;
      const ms = world.clock.now() - begun;
      const detail = `no answer: ${error.message}`;
      const cure = "see whether Causeway runs, and whether the proxy passes this path on to it";
      report({ step, target, result: "bad", detail, cure, ms });
      return undefined;
    }
    const ms = world.clock.now() - begun;
    const fault = handshakeFault(head, key, origin);
    if (fault !== undefined) {
      connection[Symbol.dispose]();
      report({ step, target, result: "bad", ...fault, ms });
      return undefined;
    }
    const detail = "upgraded, with the subprotocol xmpp";
    report({ step, target, result: "ok", detail, ms });
    const probe = new WebSocketProbe(options, connection);
    probe.#reading = probe.#read();
    if (await probe.#openStream()) return probe;
    await probe.#hangUp();
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
      await this.#send(`<open xmlns='${NS.FRAMING}'${attribute("to", domain)} version='1.0'/>`);
    } catch (error) {
      if (!(error instanceof WebError)) throw error;
    }
    for (let message; (message = await this.#next()) !== undefined;) {
      const element = readElement(message);
      const { name, namespace } = element?.root ?? {};
      if (element === undefined || namespace === undefined) break;
      if (name === "features" && namespace === NS.STREAMS) {
        const detail = `a stream for ${domain}, with its features`;
        report({ step, target, result: "ok", detail, ms: world.clock.now() - begun });
        return true;
      }
      if (name === "error" && namespace === NS.STREAMS) return bad(...refused(element, domain));
      if (name !== "open") break;
    }
    const why = this.#end ?? `nothing for ${PATIENCE / 1_000} s`;
    return bad(
      `<open/> was not answered with a stream: ${why}`,
      "the upgrade passes and what comes after it does not: have the proxy pass on what comes as it comes (buffering off)",
    );
  }

  /** Is silent for so many seconds, and then sees whether it is still connected. */
  async survive(wait: number): Promise<void> {
    const { world, report } = this.#options;
    const target = this.#target;
    const step = "websocket silence";
    const begun = world.clock.now();
    await this.#change(wait * 1_000);
    const ms = world.clock.now() - begun;
    const pings = `${this.#pings} pings of Causeway's in that time`;
    // A message behind the features is the stream's error: nobody has logged in.
    const isOver = this.#isClosed || this.#messages.length > 0;
    if (this.#end === undefined || (isOver && ms >= wait * 1_000 * NEARLY)) {
      const detail = `silent for ${seconds(ms)} s and still connected (${pings})`;
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
      detail: `the connection was cut after ${seconds(ms)} s of silence (${pings})`,
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
    if (this.#end !== undefined || this.#messages.length > 0) return await this.#hangUp();
    const begun = world.clock.now();
    const ms = () => world.clock.now() - begun;
    const pong = new Promise<boolean>((resolve) => {
      const late = world.clock.after(PATIENCE, { wake: () => resolve(false) });
      this.#pong = () => {
        late.cancel();
        resolve(true);
      };
    });
    try {
      await this.#frame(OPCODE.PING, new TextEncoder().encode("doctor"));
      const answered = await pong && this.#end === undefined;
      report({
        step: "ping",
        target,
        result: answered ? "ok" : "bad",
        detail: answered ? "answered" : "a ping is not answered",
        ...(answered ? {} : { cure: "have the proxy pass on frames of a WebSocket as they come" }),
        ms: ms(),
      });
      await this.#send(`<close xmlns='${NS.FRAMING}'/>`);
      const message = await this.#next();
      const isClosed = message !== undefined && readElement(message)?.root.name === "close";
      report({
        step: "close",
        target,
        result: isClosed ? "ok" : "warning",
        detail: isClosed
          ? "the stream was closed in good order"
          : `<close/> was not answered: ${this.#end ?? "something else came"}`,
        ...(isClosed ? {} : { cure: "look into Causeway's log; clients cope" }),
        ms: ms(),
      });
    } catch (error) {
      if (!(error instanceof WebError)) throw error;
      const cure = "have the proxy leave a WebSocket alone that is in use";
      report({ step: "ping", target, result: "bad", detail: error.message, cure, ms: ms() });
    }
    await this.#hangUp();
  }

  /** Drops it, whatever state it is in. */
  async abandon(): Promise<void> {
    await this.#hangUp();
  }

  async #hangUp(): Promise<void> {
    if (this.#end === undefined) {
      try {
        await this.#frame(OPCODE.CLOSE, Uint8Array.of(0x03, 0xe8));
        await this.#change(2_000);
      } catch (error) {
        if (!(error instanceof WebError)) throw error;
      }
    }
    this.#connection[Symbol.dispose]();
    await this.#reading;
  }

  /** The next message; `undefined` when there is none in time, or none any more. */
  async #next(): Promise<string | undefined> {
    if (this.#messages.length === 0) await this.#change(PATIENCE);
    return this.#messages.shift();
  }

  /** Until something comes, or it ends; no longer than so many milliseconds. */
  async #change(ms: number): Promise<void> {
    if (this.#messages.length > 0 || this.#end !== undefined) return;
    await new Promise<void>((resolve) => {
      const late = this.#options.world.clock.after(ms, { wake: resolve });
      this.#came = () => {
        late.cancel();
        resolve();
      };
    });
    this.#came = undefined;
  }

  async #read(): Promise<void> {
    try {
      let text: Uint8Array = new Uint8Array();
      for (;;) {
        const [first = 0, second = 0] = await this.#connection.exactly(2);
        const opcode = first & 0x0f;
        const short = second & 0x7f;
        const extended = short < 126
          ? new Uint8Array()
          : await this.#connection.exactly(short === 126 ? 2 : 8);
        const length = short < 126 ? short : extended.reduce((sum, byte) => sum * 256 + byte, 0);
        // RFC 6455 §5.1: a server masks nothing.
        if ((second & 0x80) !== 0 || length > MAX_MESSAGE) {
          throw new WebError("http", "what comes is no frame");
        }
        const data = await this.#connection.exactly(length);
        switch (opcode) {
          case OPCODE.PING:
            this.#pings++;
            await this.#frame(OPCODE.PONG, data);
            break;
          case OPCODE.PONG:
            this.#pong?.();
            break;
          case OPCODE.CLOSE: {
            this.#isClosed = true;
            const code = data.length < 2 ? "no code" : String((data[0]! << 8) | data[1]!);
            const reason = new TextDecoder().decode(data.subarray(2));
            throw new WebError("http", `closed with ${code}${reason && `, ${reason}`}`);
          }
          default: {
            if (text.length + length > MAX_MESSAGE) {
              throw new WebError("http", "a message does not end");
            }
            const joined = new Uint8Array(text.length + length);
            joined.set(text);
            joined.set(data, text.length);
            text = joined;
            if ((first & 0x80) === 0) break;
            this.#messages.push(new TextDecoder().decode(text));
            text = new Uint8Array();
            this.#came?.();
          }
        }
      }
    } catch (error) {
      this.#end = error instanceof WebError ? error.message : String(error);
      this.#pong?.();
      this.#came?.();
      if (!(error instanceof WebError)) throw error;
    }
  }

  #send(text: string): Promise<void> {
    return this.#frame(OPCODE.TEXT, new TextEncoder().encode(text));
  }

  /** RFC 6455 §5.3: what a client sends is masked; here all of it is short. */
  async #frame(opcode: number, payload: Uint8Array): Promise<void> {
    const mask = crypto.getRandomValues(new Uint8Array(4));
    const { length } = payload;
    const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
    const masked = payload.map((byte, at) => byte ^ mask[at % 4]!);
    await this.#connection.write(Uint8Array.of(0x80 | opcode, ...size, ...mask, ...masked));
  }
}

/** What is wrong with the answer to the handshake (RFC 6455 §4.1). */
function handshakeFault(
  head: WebHead,
  key: string,
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
  const expected = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest(
    "base64",
  );
  if (valuesOf(head, "sec-websocket-accept").join() !== expected) {
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
  const names = children.map(({ name, bytes }) => name === "text" ? textOf(bytes) : name);
  const detail = names.join(": ");
  return children.some(({ name }) => name === "host-unknown")
    ? [
      `${domain} is not served there (${detail})`,
      `add [domains."${domain}"] to Causeway's configuration, or correct the name`,
    ]
    : [detail, "Causeway's log says more, and so do the lines about the XMPP server"];
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/<[^>]*>/g, "");
}
