import { Alarm } from "../clock.ts";
import type { StreamEnd, StreamHeader } from "../protocol/stream/c2s.ts";
import type { WebSocketAction } from "../protocol/websocket/actions.ts";
import { Backlog } from "../protocol/websocket/backlog.ts";
import { type Framing, readMessage } from "../protocol/websocket/framing.ts";
import { WebSocketSession } from "../protocol/websocket/session.ts";
import type { Payload } from "../protocol/xml/payload.ts";
import type { XmlTokenizer } from "../protocol/xml/tokenizer.ts";
import type { ClientInfo, Upstream, UpstreamEvents } from "../upstream/connector.ts";
import { chooseDomain } from "./domain_choice.ts";
import type { MessageEvents, MessageSocket } from "./exchange.ts";
import type { Actor } from "./registry.ts";
import type { SessionDescription, SessionTap } from "./session_description.ts";
import { randomName, type SessionShell } from "./session_shell.ts";

/** What the endpoint knows of a session that is to be. */
export interface WebSocketHandshake {
  readonly client: ClientInfo;
  /** The handshake came by TLS, here or to a trusted proxy. */
  readonly isTls: boolean;
  /** How its stream may be framed. */
  readonly framings: readonly [Framing, ...Framing[]];
  /** Borrowed for the length of each call. */
  readonly tokenizer: XmlTokenizer;
}

/**
 * The thin shell of one WebSocket session: it gives the session its inputs, performs what the
 * session asks, and keeps one alarm.
 */
export class WebSocketActor implements Actor, UpstreamEvents, MessageEvents {
  /** The session in logs. */
  readonly name: string = randomName().slice(0, 8);
  readonly #shell: SessionShell;
  readonly #tokenizer: XmlTokenizer;
  readonly #session: WebSocketSession;
  readonly #alarm: Alarm;
  readonly #backlog: Backlog;
  readonly #backlogAlarm: Alarm;
  readonly #client: ClientInfo;
  readonly #created: number;
  #socket: MessageSocket | undefined;
  #upstream: Upstream | undefined;
  #domain = "";
  #ended = false;
  readonly #isTls: boolean;
  tap: SessionTap | undefined = undefined;

  constructor(shell: SessionShell, { client, isTls, framings, tokenizer }: WebSocketHandshake) {
    const { config, clock } = shell;
    this.#shell = shell;
    this.#tokenizer = tokenizer;
    this.#client = client;
    this.#isTls = isTls;
    this.#created = clock.now();
    this.#alarm = new Alarm(clock, this);
    this.#backlog = new Backlog(config.limits.queuedBytes);
    this.#backlogAlarm = new Alarm(clock, { wake: () => this.#checkBacklog() });
    const { idleTimeout, seeOtherUri } = config.websocket;
    this.#session = new WebSocketSession(this.#created, {
      chooseDomain: (to) => chooseDomain(config, to),
      framings,
      idleTimeout,
      seeOtherUri,
      nameStream: randomName,
      limits: config.limits,
    });
    this.#alarm.set(this.#session.deadline);
    shell.registry.add(this, client.address);
  }

  /** The socket that the session speaks through; before its first event. */
  attach(socket: MessageSocket): void {
    this.#socket = socket;
  }

  get transport(): "websocket" {
    return "websocket";
  }

  // ---- from the client

  message(data: Uint8Array, binary: boolean): void {
    this.#input((now) => {
      // RFC 7395 §3.2: only text messages; RFC 6455 §7.4.1 has 1003 for data of another kind.
      if (binary) {
        const reason = "only text messages are understood";
        this.#session.refuse(now, "bad-format", reason, { code: 1003 });
      } else this.#session.message(now, readMessage(data, this.#tokenizer), data.length);
    });
  }

  tooLarge(): void {
    const { clientStanza, unauthenticatedBytes } = this.#shell.config.limits;
    const most = this.#socket?.maxMessage ?? clientStanza;
    const limit = most === clientStanza ? "limits.client_stanza" : "limits.unauthenticated_bytes";
    const when = most === unauthenticatedBytes ? " before authentication" : "";
    const reason = `a message may have at most ${most} bytes${when} (${limit})`;
    this.#input((now) =>
      this.#session.refuse(now, "policy-violation", reason, { code: 1009, limit })
    );
  }

  alive(): void {
    this.#input((now) => this.#session.alive(now));
  }

  closed(): void {
    if (!this.#session.hasLeft) this.#tellUnsent(this.#socket?.queuedBytes ?? 0);
    this.#socket = undefined;
    this.#input((now) => this.#session.socketClosed(now));
  }

  // ---- from the upstream

  opened(header: StreamHeader): void {
    this.#input((now) => this.#session.streamOpened(now, header));
  }

  deliver(payloads: readonly Payload[]): void {
    this.tap?.delivered(payloads);
    const { websocket } = this.#shell.meter;
    websocket.stanzasDown += payloads.length;
    for (const { bytes } of payloads) websocket.bytesDown += bytes.length;
    this.#input((now) => this.#session.deliver(now, payloads));
    this.#checkBacklog();
  }

  ended(end: StreamEnd): void {
    this.#upstream = undefined;
    this.#input((now) => this.#session.streamEnded(now, end));
  }

  flow(open: boolean): void {
    this.#input((now) => this.#session.flow(now, open));
  }

  // ---- from the connection manager

  shutdown(): void {
    this.#input((now) => this.#session.shutdown(now));
  }

  end(reason: string): void {
    this.#input((now) => this.#session.refuse(now, "policy-violation", reason, { code: 1008 }));
  }

  describe(): SessionDescription {
    const websocket = this.#session.describe();
    return {
      session: this.name,
      client: this.#client,
      isTls: this.#isTls,
      domain: this.#domain,
      created: this.#created,
      state: websocket.state,
      heard: websocket.heard,
      streams: websocket.streams,
      held: 0,
      up: this.#upstream?.queuedBytes ?? 0,
      down: this.#socket?.queuedBytes ?? 0,
      websocket,
    };
  }

  /** For its alarm. */
  wake(): void {
    this.#input((now) => this.#session.handleTimeout(now));
  }

  // ---- the shell

  /** One input, then all that the session asks for. A fault of ours ends this session, no other. */
  #input(input: (now: number) => void): void {
    if (this.#ended) return;
    try {
      input(this.#shell.clock.now());
      // Messages that follow each other leave in one write.
      let messages: Uint8Array[] = [];
      for (let action; (action = this.#session.poll());) {
        if (action.type === "message") {
          messages.push(action.bytes);
          continue;
        }
        if (messages.length > 0) this.#socket?.send(messages);
        messages = [];
        this.#perform(action);
      }
      if (messages.length > 0) this.#socket?.send(messages);
      this.#alarm.set(this.#session.deadline);
    } catch (error) {
      this.#shell.emit({ type: "fault", session: this.name, client: this.#client, error });
      this.#upstream?.abort();
      this.#socket?.close(1011);
      this.#end("internal-server-error", "a fault of the connection manager");
    }
  }

  #perform(action: Exclude<WebSocketAction, { type: "message" }>): void {
    switch (action.type) {
      case "open-stream": {
        this.#domain = action.opening.to;
        const { emit, connector } = this.#shell;
        const created = { session: this.name, domain: this.#domain, client: this.#client };
        emit({ type: "session-created", ...created });
        const request = { opening: action.opening, session: this.name, client: this.#client };
        this.#upstream = connector.open(request, this);
        return;
      }
      case "restart-stream":
        return this.#upstream?.restart();
      case "send": {
        this.tap?.sent(action.content);
        const { websocket } = this.#shell.meter;
        websocket.stanzasUp++;
        websocket.bytesUp += action.content.length;
        this.#upstream?.send(action.content);
        if ((this.#upstream?.queuedBytes ?? 0) > this.#shell.config.limits.queuedBytes) {
          this.#session.congested(this.#shell.clock.now());
        }
        return;
      }
      case "close-stream":
        return action.clean ? this.#upstream?.close() : this.#upstream?.abort();
      case "flow":
        return this.#socket?.flow(action.open);
      case "close-socket":
        return this.#socket?.close(action.code);
      case "authenticated":
        if (this.#socket) this.#socket.maxMessage = this.#shell.config.limits.clientStanza;
        return;
      case "ended":
        if (action.limit !== undefined) this.#shell.limits.met(action.limit, this.#client.address);
        return this.#end(action.condition, action.reason);
      default:
        action satisfies never;
    }
  }

  /** A client that does not read stops the reading of its upstream, until it has caught up. */
  #checkBacklog(): void {
    const bytes = this.#socket?.queuedBytes ?? 0;
    // As nearly always: nothing waits, and nothing did.
    if (this.#ended || (bytes === 0 && this.#backlog.deadline === undefined)) return;
    switch (this.#backlog.look(this.#shell.clock.now(), bytes)) {
      case "stop":
        this.#upstream?.flow(false);
        break;
      case "resume":
        this.#upstream?.flow(true);
        break;
      case "lost":
        this.#tellUnsent(bytes);
        this.#socket?.drop();
        return this.#input((now) => this.#session.socketClosed(now, "the client does not read"));
      case undefined:
    }
    this.#backlogAlarm.set(this.#backlog.deadline);
  }

  /** What waited for a client that is gone. */
  #tellUnsent(bytes: number): void {
    if (this.#ended || this.#domain === "" || bytes === 0) return;
    const session = { session: this.name, domain: this.#domain, client: this.#client };
    this.#shell.emit({ type: "unsent", ...session, to: "client", bytes });
  }

  #end(condition: string | undefined, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#alarm.stop();
    this.#backlogAlarm.stop();
    this.#shell.registry.remove(this);
    this.tap?.ended(condition, reason);
    // A connection that never opened a stream was no session.
    if (this.#domain === "") return;
    this.#shell.emit({
      type: "session-ended",
      session: this.name,
      domain: this.#domain,
      client: this.#client,
      condition,
      reason,
      duration: this.#shell.clock.now() - this.#created,
    });
  }
}
