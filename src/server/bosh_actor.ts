import { Alarm } from "../clock.ts";
import { nodeCrypto } from "../config/node_crypto.ts";
import type { BoshAction } from "../protocol/bosh/actions.ts";
import type { CreationRequest, SessionRequest, StreamRequest } from "../protocol/bosh/body.ts";
import type { TerminalCondition } from "../protocol/bosh/conditions.ts";
import type { BoshLimits } from "../protocol/bosh/negotiation.ts";
import type { ContentAssembler } from "../protocol/bosh/content_assembler.ts";
import { terminalBody } from "../protocol/bosh/response.ts";
import { BoshSession } from "../protocol/bosh/session.ts";
import type { RequestId } from "../protocol/bosh/window.ts";
import type { StreamEnd, StreamHeader, StreamOpening } from "../protocol/stream/c2s.ts";
import type { Payload } from "../protocol/xml/payload.ts";
import type { ClientInfo, Upstream, UpstreamEvents } from "../upstream/connector.ts";
import type { Actor } from "./registry.ts";
import type { SessionDescription, SessionTap } from "./session_description.ts";
import { randomName, type SessionShell } from "./session_shell.ts";
import { chooseStream, type StreamTarget } from "./stream_choice.ts";

/** The response to one request. */
export interface BoshResponse {
  readonly status: number;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The media type that the client asked for; missing: as the syntax has it. */
  readonly contentType?: string | undefined;
  /** As {@link BoshCreation} has it; missing: there is no session to know it. */
  readonly pipelines?: boolean | undefined;
}

/** A request, to its session: somebody who takes the response. */
export interface Asker {
  respond(response: BoshResponse): void;
}

/** What the endpoint knows of a session that is to be. */
export interface BoshCreation {
  readonly creation: CreationRequest;
  /** Where its first stream goes. */
  readonly target: StreamTarget;
  readonly client: ClientInfo;
  /** The same for all sessions. */
  readonly limits: BoshLimits;
  /** The client writes `to` on every request. */
  readonly writesToAlways: boolean;
  /** The client sends requests behind each other on one connection. */
  readonly pipelines: boolean;
  /** The creation request came by TLS, here or to a trusted proxy. */
  readonly isTls: boolean;
  /** Every response of the session has it; `undefined`: the client did not ask for any. */
  readonly contentType: string | undefined;
  /** The session was created by GET in the manner of XEP-0252, and goes on like that. */
  readonly assembler: ContentAssembler | undefined;
}

/**
 * The thin shell of one BOSH session: it gives the session its inputs, performs what the session
 * asks, and keeps one alarm. An input runs to its end before the next one begins, so the event
 * loop is its mailbox and a method call is its message.
 */
export class BoshActor implements Actor {
  readonly contentType: string | undefined;
  /** Its requests come by GET in the manner of XEP-0252. */
  readonly isScript: boolean;
  readonly #pipelines: boolean;
  readonly #shell: SessionShell;
  /**
   * Whoever knows it owns the session. What stands behind the name is 128 random bits, so the log can have the
   * name, and who has a sid finds its session there.
   */
  readonly #sid = randomName().slice(0, NAME_LENGTH) + randomName();
  readonly #session: BoshSession;
  readonly #alarm: Alarm;
  readonly #client: ClientInfo;
  /** Its creation request came by TLS, as all others have to. */
  readonly isTls: boolean;
  /** Streams must be encrypted. */
  readonly #secure: boolean;
  /** The client is from before `ver` (XEP-0124 §17.1). */
  readonly #isLegacy: boolean;
  readonly #domain: string;
  readonly #created: number;
  /** Of requests without a response; few. */
  #waiting: readonly Waiting[] = NONE;
  /** By the session's names for them; nearly always one. */
  #upstreams: readonly { readonly stream: string; readonly upstream: Upstream }[] = [];
  /** Where the stream goes that is about to be opened. */
  #target: StreamTarget | undefined;
  #nextRequest = 0;
  #ended = false;
  tap: SessionTap | undefined = undefined;

  /** Opens a session; the creation request is answered to `asker`. */
  constructor(shell: SessionShell, init: BoshCreation, asker: Asker) {
    const { clock, registry, emit } = shell;
    this.#shell = shell;
    this.#client = init.client;
    this.#secure = init.creation.secure;
    this.#isLegacy = init.creation.ver === undefined;
    this.#domain = init.target.opening.to;
    this.contentType = init.contentType;
    this.isScript = init.assembler !== undefined;
    this.#pipelines = init.pipelines;
    this.isTls = init.isTls;
    this.#created = clock.now();
    this.#alarm = new Alarm(clock, this);
    this.#target = init.target;
    this.#session = new BoshSession(this.#created, this.#register(asker), {
      sid: this.#sid,
      creation: init.creation,
      opening: init.target.opening,
      limits: init.limits,
      assembler: init.assembler,
      writesToAlways: init.writesToAlways,
      chooseStream: (request) => this.#choose(request),
      nameStream: randomName,
      repeated: shell.meter.repeated,
      sha1,
    });
    registry.add(this, init.client.address);
    registry.name(this.#sid, this);
    emit({
      type: "session-created",
      session: this.name,
      domain: this.#domain,
      client: this.#client,
      userAgent: init.creation.userAgent,
    });
    this.#input(() => {});
  }

  /** The session in logs and events. */
  get name(): string {
    return this.#sid.slice(0, NAME_LENGTH);
  }

  get transport(): "bosh" {
    return "bosh";
  }

  // ---- from the client

  /** A request; the number is for {@link abandon}. */
  request(body: SessionRequest, asker: Asker): RequestId {
    const id = this.#register(asker);
    this.#input((now) => this.#session.request(now, id, body));
    return id;
  }

  /** A request that broke a rule which ends the session. */
  refuse(condition: TerminalCondition, reason: string, asker: Asker): void {
    const id = this.#register(asker);
    this.#input((now) => this.#session.refuse(now, id, condition, reason));
  }

  /** The client's connection went away before the request was answered. */
  abandon(id: RequestId): void {
    if (this.#takeAsker(id)) this.#input((now) => this.#session.abandon(now, id));
  }

  /** The creation request's number, for {@link abandon}. */
  static readonly CREATION: RequestId = 0;

  // ---- from the connection manager

  shutdown(): void {
    this.#input((now) => this.#session.shutdown(now));
  }

  end(reason: string): void {
    this.#input((now) => this.#session.shutdown(now, { condition: "policy-violation", reason }));
  }

  describe(): SessionDescription {
    const bosh = this.#session.describe();
    return {
      session: this.name,
      client: this.#client,
      isTls: this.isTls,
      domain: this.#domain,
      created: this.#created,
      state: bosh.state,
      heard: Math.max(this.#created, bosh.heard),
      streams: bosh.streams,
      held: bosh.held,
      up: this.#upstreams.reduce((bytes, { upstream }) => bytes + upstream.queuedBytes, 0),
      down: bosh.waiting,
      isScript: this.isScript,
      isLegacy: this.#isLegacy,
      bosh,
    };
  }

  /** For its alarm. */
  wake(): void {
    this.#input((now) => this.#session.handleTimeout(now));
  }

  // ---- from the upstreams

  opened(stream: string, header: StreamHeader): void {
    this.#input((now) => this.#session.streamOpened(now, stream, header));
  }

  deliver(stream: string, payloads: readonly Payload[]): void {
    this.tap?.delivered(payloads);
    const { bosh } = this.#shell.meter;
    bosh.stanzasDown += payloads.length;
    for (const { bytes } of payloads) bosh.bytesDown += bytes.length;
    this.#input((now) => this.#session.deliver(now, stream, payloads));
  }

  /** What the upstream says of the client's reading; the other way it is an action of the session. */
  flow(stream: string, open: boolean): void {
    this.#input((now) => this.#session.flow(now, stream, open));
  }

  streamEnded(stream: string, end: StreamEnd): void {
    this.#upstreams = this.#upstreams.filter((entry) => entry.stream !== stream);
    this.#input((now) => this.#session.streamEnded(now, stream, end));
  }

  // ---- the shell

  #register(asker: Asker): RequestId {
    const request = this.#nextRequest++;
    const entry = { request, asker };
    this.#waiting = this.#waiting.length === 0 ? [entry] : this.#waiting.concat(entry);
    return request;
  }

  #takeAsker(request: RequestId): Asker | undefined {
    const entry = this.#waiting.find((entry) => entry.request === request);
    if (entry === undefined) return undefined;
    this.#waiting = this.#waiting.length === 1
      ? NONE
      : this.#waiting.filter((other) => other !== entry);
    return entry.asker;
  }

  #upstream(stream: string): Upstream | undefined {
    return this.#upstreams.find((entry) => entry.stream === stream)?.upstream;
  }

  /** One input, then all that the session asks for. A fault of ours ends this session, no other. */
  #input(input: (now: number) => void): void {
    if (this.#ended) return;
    try {
      input(this.#shell.meter.begin());
      for (let action; (action = this.#session.poll());) this.#perform(action);
      if (!this.#ended) this.#alarm.set(this.#session.deadline);
    } catch (error) {
      this.#shell.emit({ type: "fault", session: this.name, client: this.#client, error });
      for (const { upstream } of this.#upstreams) upstream.abort();
      this.#end("internal-server-error", "a fault of the connection manager");
    }
  }

  #perform(action: BoshAction): void {
    switch (action.type) {
      case "respond":
        this.#takeAsker(action.request)?.respond({
          status: action.status,
          body: action.body,
          contentType: this.contentType,
          pipelines: this.#pipelines,
        });
        return;
      case "open-stream":
        return this.#open(action.stream, action.opening);
      case "restart-stream":
        return this.#upstream(action.stream)?.restart({ attributes: action.attributes });
      case "send": {
        const upstream = this.#upstream(action.stream);
        this.tap?.sent(action.content);
        if (action.count !== undefined) {
          const { bosh } = this.#shell.meter;
          bosh.stanzasUp += action.count;
          bosh.bytesUp += action.content.length;
        }
        upstream?.send(action.content);
        if ((upstream?.queuedBytes ?? 0) > this.#shell.config.limits.queuedBytes) {
          this.#session.congested(this.#shell.clock.now());
        }
        return;
      }
      case "flow":
        return this.#upstream(action.stream)?.flow(action.open);
      case "close-stream": {
        const upstream = this.#upstream(action.stream);
        return action.clean ? upstream?.close() : upstream?.abort();
      }
      case "acknowledged":
        return this.#shell.emit({
          type: "responses-acknowledged",
          session: this.name,
          domain: this.#domain,
          client: this.#client,
          rid: action.rid,
        });
      case "undelivered":
        return this.#shell.emit({
          type: "undelivered",
          session: this.name,
          domain: this.#domain,
          client: this.#client,
          payloads: action.payloads,
        });
      case "ended":
        if (action.limit !== undefined) this.#shell.limits.met(action.limit, this.#client.address);
        return this.#end(action.condition, action.reason);
      default:
        action satisfies never;
    }
  }

  #choose(request: StreamRequest) {
    const choice = chooseStream(this.#shell.config, request);
    if (choice.type === "open") this.#target = choice;
    return choice;
  }

  #open(stream: string, opening: StreamOpening): void {
    // The session opens what it has chosen before it chooses again.
    const route = this.#target?.opening === opening ? this.#target.route : undefined;
    this.#target = undefined;
    const request = {
      opening,
      session: this.name,
      client: this.#client,
      secure: this.#secure,
      ...(route ? { route } : {}),
    };
    const upstream = this.#shell.connector.open(request, new StreamEvents(this, stream));
    this.#upstreams = this.#upstreams.concat({ stream, upstream });
  }

  #end(condition: TerminalCondition | undefined, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#alarm.stop();
    const { registry, clock, emit } = this.#shell;
    const { contentType, isScript } = this;
    const isLegacy = this.#isLegacy;
    registry.bury(this, this.#sid, { condition, reason, isLegacy, isScript, contentType });
    // Whoever still waits was forgotten by a fault: no request is left without an answer.
    const body = terminalBody("internal-server-error", reason);
    const waiting = this.#waiting;
    this.#waiting = NONE;
    for (const { asker } of waiting) asker.respond({ status: 200, body });
    this.tap?.ended(condition, reason);
    emit({
      type: "session-ended",
      session: this.name,
      domain: this.#domain,
      client: this.#client,
      condition,
      reason,
      duration: clock.now() - this.#created,
    });
  }
}

/** What one upstream tells its session. */
class StreamEvents implements UpstreamEvents {
  readonly #actor: BoshActor;
  readonly #stream: string;

  constructor(actor: BoshActor, stream: string) {
    this.#actor = actor;
    this.#stream = stream;
  }

  opened(header: StreamHeader): void {
    this.#actor.opened(this.#stream, header);
  }

  deliver(payloads: readonly Payload[]): void {
    this.#actor.deliver(this.#stream, payloads);
  }

  flow(open: boolean): void {
    this.#actor.flow(this.#stream, open);
  }

  ended(end: StreamEnd): void {
    this.#actor.streamEnded(this.#stream, end);
  }
}

interface Waiting {
  readonly request: RequestId;
  readonly asker: Asker;
}

const NONE: readonly Waiting[] = [];
const NAME_LENGTH = 8;

function sha1(text: string): string {
  return nodeCrypto().createHash("sha1").update(text).digest("hex");
}
