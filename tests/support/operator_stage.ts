import type { LogLevel } from "../../src/config/config.ts";
import type { ReloadReport } from "../../src/controls.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { ConnectionManager } from "../../src/manager.ts";
import type { Listener } from "../../src/server/listener.ts";
import { BoshClient } from "./bosh_client.ts";
import { FloodUpstream } from "./flood_upstream.ts";
import { currentFront } from "./fronts.ts";
import { freePort } from "./free_port.ts";
import { configOf, JumpingClock } from "./manager.ts";
import { Inbox, patiently, until } from "./patience.ts";

/** What an operator is let in with. */
export const OPERATOR = { username: "admin", password: "three-in-the-morning" };

/** The same as a header field. */
export const authorization = `Basic ${btoa(`${OPERATOR.username}:${OPERATOR.password}`)}`;

/** Who comes, and how. */
export interface Visit {
  readonly transport?: "bosh" | "websocket";
  /** Default: `example.test`. Every domain is served, but the server of `broken.test` is down. */
  readonly domain?: string;
  /** BOSH: the attribute `ua`, as it is written there. */
  readonly userAgent?: string;
  /** Whom a proxy that is trusted names as the client. */
  readonly address?: string;
}

/** Somebody who has logged in. */
export interface Visitor {
  /** The short name of the session, as in the log and on the page. */
  readonly session: string;
  /** Sends a stanza; its server sends it back. */
  say(xml: string): void;
  /** Settles with what ended it. */
  readonly ended: Promise<string>;
  leave(): Promise<void>;
}

/**
 * A manager that serves clients and their operator on one listener, and an XMPP server that lets
 * everybody in and sends back what it hears.
 */
export class OperatorStage implements AsyncDisposable {
  /** `http://127.0.0.1:port` */
  url = "";
  readonly manager: ConnectionManager;
  readonly clock = new JumpingClock();
  readonly events: ManagerEvent[] = [];
  logLevel: LogLevel = "info";
  /** What a reload comes to. */
  report: ReloadReport = { applied: [], restart: [], mistakes: [] };
  readonly #upstream: FloodUpstream;
  readonly #visitors = new Set<Visitor>();
  #listener: Listener | undefined;

  private constructor(upstream: FloodUpstream, toml: string) {
    this.#upstream = upstream;
    this.manager = new ConnectionManager({
      config: configOf(toml),
      clock: this.clock,
      onEvent: (event) => this.events.push(event),
      controls: this.#controls(),
    });
  }

  static async set(): Promise<OperatorStage> {
    const upstream = await FloodUpstream.listen();
    const secret = await Deno.makeTempFile();
    await Deno.writeTextFile(secret, OPERATOR.password);
    const stage = new OperatorStage(
      upstream,
      `[[listen]]
       serve = ["bosh", "websocket", "admin"]
       [admin]
       password_file = "${secret}"
       [upstream]
       tls = "never"
       [domains."broken.test"]
       connect = "xmpp://127.0.0.1:${freePort()}"
       [domains."*"]
       connect = "xmpp://127.0.0.1:${upstream.port}"`,
    );
    await Deno.remove(secret);
    await stage.begin();
    return stage;
  }

  /** Listens, where it did before if it did, unless it does. */
  async begin(): Promise<void> {
    if (this.#listener !== undefined) return;
    const [listen] = this.manager.config.listen;
    const port = this.url === "" ? 0 : Number(new URL(this.url).port);
    const at = { address: "127.0.0.1", port };
    this.#listener = await this.manager.listen({ ...listen!, at, server: currentFront() });
    this.url = this.#listener.url;
  }

  /** Listens no more; everybody leaves before. */
  async end(): Promise<void> {
    await this.empty();
    await this.#listener?.close();
    this.#listener = undefined;
  }

  /** Everybody leaves. */
  async empty(): Promise<void> {
    await Promise.all([...this.#visitors].map((visitor) => visitor.leave()));
    await until(() => this.manager.sessions === 0 ? true : undefined, "all have left");
  }

  async visit({ transport = "websocket", ...visit }: Visit = {}): Promise<Visitor> {
    const before = this.events.length;
    const come = transport === "bosh" ? comeByBosh : comeByWebSocket;
    const { domain = "example.test" } = visit;
    const way = await come(this.url, { ...visit, domain });
    const created = this.events.slice(before).find(({ type }) => type === "session-created");
    const visitor: Visitor = {
      session: created?.type === "session-created" ? created.session : "",
      ...way,
      leave: () => {
        this.#visitors.delete(visitor);
        return way.leave();
      },
    };
    this.#visitors.add(visitor);
    return visitor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.manager.shutdown();
    await this.#upstream[Symbol.asyncDispose]();
  }

  #controls() {
    // deno-lint-ignore no-this-alias
    const stage = this;
    return {
      get state() {
        return stage.manager.state;
      },
      drain: () => stage.manager.drain(),
      undrain: () => stage.manager.undrain(),
      get logLevel() {
        return stage.logLevel;
      },
      set logLevel(level) {
        stage.logLevel = level;
      },
      get config() {
        return stage.manager.config;
      },
      reload: () => Promise.resolve(stage.report),
    };
  }
}

type Way = Omit<Visitor, "session">;
type Whither = Visit & { readonly domain: string };

const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHgAeA==</auth>";

async function comeByWebSocket(url: string, { domain, address }: Whither): Promise<Way> {
  const headers = forwardedFor(address);
  const protocols = ["xmpp"];
  const socket = new WebSocket(`${url.replace("http", "ws")}/xmpp-websocket`, {
    protocols,
    headers,
  });
  const heard = new Inbox<string>();
  const closed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  socket.onmessage = ({ data }) => {
    if (/<stream:error|<close/.test(data)) ended.resolve(data);
    heard.put(data);
  };
  socket.onclose = () => closed.resolve();
  await patiently(new Promise((resolve) => socket.onopen = resolve), "the WebSocket is open");
  const hears = async (what: RegExp) => {
    while (!what.test(await heard.take()));
  };
  const open = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${domain}' version='1.0'/>`;
  socket.send(open);
  await hears(/features/);
  socket.send(AUTH);
  await hears(/<success/);
  socket.send(open);
  await hears(/features/);
  return {
    say: (xml) => socket.send(xml),
    ended: ended.promise,
    async leave() {
      if (socket.readyState === WebSocket.OPEN) {
        socket.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
      }
      await closed.promise;
    },
  };
}

function forwardedFor(address: string | undefined): Record<string, string> {
  return address === undefined ? {} : { "X-Forwarded-For": address };
}

async function comeByBosh(
  url: string,
  { domain, userAgent = "", address }: Whither,
): Promise<Way> {
  const client = new BoshClient(`${url}/http-bind`, { headers: forwardedFor(address) });
  const ua = userAgent === "" ? "" : `ua='${userAgent}'`;
  const attributes = `to='${domain}' ver='1.6' wait='60' hold='1' xmpp:version='1.0' ${ua}`;
  const { condition } = await client.create(attributes);
  if (condition !== undefined) {
    client.close();
    throw new Error(condition);
  }
  await client.ask("", AUTH);
  await client.ask(`to='${domain}' xmpp:restart='true'`);
  const ended = Promise.withResolvers<string>();
  let isOver = false;
  // As every client does: there is always a request that may be answered.
  const poll = async (): Promise<void> => {
    while (!isOver) {
      const { type, text } = await client.ask();
      if (type === "terminate") {
        isOver = true;
        ended.resolve(text);
      }
    }
  };
  const polling = poll().catch(() => {});
  return {
    say: (xml) => void client.ask("", xml).catch(() => {}),
    ended: ended.promise,
    async leave() {
      const wasOver = isOver;
      isOver = true;
      if (!wasOver) await client.ask("type='terminate'").catch(() => {});
      await polling;
      client.close();
    },
  };
}
