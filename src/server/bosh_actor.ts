import { createHash } from "node:crypto";
import { Alarm } from "../clock.ts";
import type { CreationRequest, SessionRequest } from "../protocol/bosh/body.ts";
import type { TerminalCondition } from "../protocol/bosh/conditions.ts";
import { terminalBody } from "../protocol/bosh/response.ts";
import { type BoshAction, BoshSession, type RequestId } from "../protocol/bosh/session.ts";
import type { StreamEnd, StreamHeader } from "../protocol/stream/c2s.ts";
import type { Payload } from "../protocol/xml/payload.ts";
import type { ClientInfo, Upstream, UpstreamEvents } from "../upstream/connector.ts";
import type { Actor } from "./registry.ts";
import { randomName, type SessionShell } from "./session_shell.ts";

export type BoshResponse = Uint8Array<ArrayBuffer>;
/** Takes the response to one request. */
export type BoshReply = (body: BoshResponse) => void;

/**
 * The thin shell of one BOSH session: it gives the session its inputs, performs what the session
 * asks, and keeps one alarm. An input runs to its end before the next one begins, so the event
 * loop is its mailbox and a method call is its message.
 */
export class BoshActor implements Actor, UpstreamEvents {
  /** The session in logs: a hash, because whoever knows the sid owns the session. */
  readonly name: string;
  readonly #shell: SessionShell;
  readonly #sid = randomName();
  readonly #session: BoshSession;
  readonly #alarm: Alarm;
  readonly #client: ClientInfo;
  readonly #domain: string;
  readonly #created: number;
  readonly #replies = new Map<RequestId, BoshReply>();
  #nextRequest = 0;
  #upstream: Upstream | undefined;
  #ended = false;

  /** Opens a session; the creation request is answered through `reply`. */
  constructor(
    shell: SessionShell,
    init: { creation: CreationRequest; domain: string; client: ClientInfo },
    reply: BoshReply,
  ) {
    const { config, clock, registry, emit } = shell;
    this.#shell = shell;
    this.#client = init.client;
    this.#domain = init.domain;
    this.name = createHash("sha256").update(this.#sid).digest("hex").slice(0, 8);
    this.#created = clock.now();
    this.#alarm = new Alarm(clock, () => this.#input((now) => this.#session.handleTimeout(now)));
    this.#session = new BoshSession(this.#created, this.#register(reply), {
      sid: this.#sid,
      to: init.domain,
      creation: init.creation,
      limits: { ...config.bosh, queuedBytes: config.limits.queuedBytes },
    });
    registry.add(this);
    registry.name(this.#sid, this);
    emit({
      type: "session-created",
      session: this.name,
      domain: this.#domain,
      client: this.#client,
    });
    this.#input(() => {});
  }

  // ---- from the client

  /** A request; the number is for {@link abandon}. */
  request(body: SessionRequest, reply: BoshReply): RequestId {
    const id = this.#register(reply);
    this.#input((now) => this.#session.request(now, id, body));
    return id;
  }

  /** A request that broke a rule which ends the session. */
  refuse(condition: TerminalCondition, reason: string, reply: BoshReply): void {
    const id = this.#register(reply);
    this.#input((now) => this.#session.refuse(now, id, condition, reason));
  }

  /** The client's connection went away before the request was answered. */
  abandon(id: RequestId): void {
    if (this.#replies.delete(id)) this.#input((now) => this.#session.abandon(now, id));
  }

  /** The creation request's number, for {@link abandon}. */
  static readonly CREATION: RequestId = 0;

  // ---- from the upstream

  opened(header: StreamHeader): void {
    this.#input((now) => this.#session.streamOpened(now, header));
  }

  deliver(payloads: readonly Payload[]): void {
    this.#input((now) => this.#session.deliver(now, payloads));
  }

  ended(end: StreamEnd): void {
    this.#upstream = undefined;
    this.#input((now) => this.#session.streamEnded(now, end));
  }

  // ---- from the connection manager

  shutdown(): void {
    this.#input((now) => this.#session.shutdown(now));
  }

  // ---- the shell

  #register(reply: BoshReply): RequestId {
    const id = this.#nextRequest++;
    this.#replies.set(id, reply);
    return id;
  }

  /** One input, then all that the session asks for. A fault of ours ends this session, no other. */
  #input(input: (now: number) => void): void {
    if (this.#ended) return;
    try {
      input(this.#shell.clock.now());
      for (let action; (action = this.#session.poll());) this.#perform(action);
      this.#alarm.set(this.#session.deadline);
    } catch (error) {
      this.#shell.emit({ type: "fault", session: this.name, error });
      this.#upstream?.abort();
      this.#end("internal-server-error", "a fault of the connection manager");
    }
  }

  #perform(action: BoshAction): void {
    switch (action.type) {
      case "respond":
        this.#replies.get(action.request)?.(action.body);
        this.#replies.delete(action.request);
        return;
      case "open-stream":
        this.#upstream = this.#shell.connector.open(
          { opening: action.opening, session: this.name, client: this.#client },
          this,
        );
        return;
      case "restart-stream":
        return this.#upstream?.restart();
      case "send":
        this.#upstream?.send(action.content);
        if ((this.#upstream?.queuedBytes ?? 0) > this.#shell.config.limits.queuedBytes) {
          this.#session.congested(this.#shell.clock.now());
        }
        return;
      case "flow":
        return this.#upstream?.flow(action.open);
      case "close-stream":
        return action.clean ? this.#upstream?.close() : this.#upstream?.abort();
      case "ended":
        return this.#end(action.condition, action.reason);
      default:
        action satisfies never;
    }
  }

  #end(condition: TerminalCondition | undefined, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#alarm.stop();
    this.#shell.registry.remove(this, this.#sid);
    // Whoever still waits was forgotten by a fault: no request is left without an answer.
    const body = terminalBody("internal-server-error", reason);
    for (const reply of this.#replies.values()) reply(body);
    this.#replies.clear();
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
