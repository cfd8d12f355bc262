import type { Clock } from "../clock.ts";
import type { UpstreamConfig } from "../config/config.ts";
import type { EventSink } from "../events.ts";
import { Meter } from "../meter.ts";
import {
  C2sStream,
  type Restart,
  type StreamEnd,
  type StreamHeader,
} from "../protocol/stream/c2s.ts";
import type { Payload } from "../protocol/xml/payload.ts";
import type { XmlLimits } from "../protocol/xml/limits.ts";
import { type Attempt, type Elsewhere, failed, STEP } from "./attempt.ts";
import {
  type Candidate,
  candidates,
  type Failure,
  namedByClient,
  redirection,
  type Search,
} from "./candidates.ts";
import { hiddenSasl, placeOf, settingsFor } from "./client_settings.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import type { Connector, Upstream, UpstreamEvents, UpstreamRequest } from "./connector.ts";
import { dial, type Pipe } from "./dial.ts";
import { Resolver } from "./dns/resolver.ts";
import { Early } from "./early.ts";
import { Families } from "./families.ts";
import { within, words } from "./failure.ts";
import { trimmed } from "./outbox.ts";
import { isPublic } from "./policy.ts";
import { proxyHeader } from "./proxy_header.ts";
import { asciiDomain } from "./resolve.ts";

export interface TcpConnectorOptions {
  /** How a domain is reached; `undefined`: not at all. */
  settings(domain: string): UpstreamConfig | undefined;
  /** Those in force; asked for when a stream is opened, and what may wait whenever something does. */
  readonly limits: () => {
    readonly serverStanza: number;
    readonly depth: number;
    /** Bytes that may wait for a server; beyond half of that its client is not read. */
    readonly queuedBytes: number;
    /** Streams that are being opened at a time; missing: any number. */
    readonly connecting?: number;
    /** Names that are being looked up at a time; missing: any number. */
    readonly lookups?: number;
  };
  /** A limit has met a client. */
  readonly onLimit?: (limit: "limits.connecting" | "limits.lookups", address: string) => void;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** Missing: nobody counts. */
  readonly meter?: Meter;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** Whether an address that DNS gave may be dialled. Default: only public ones. */
  readonly mayDial?: (address: string) => boolean;
}

/** Attributes and declarations that one element of a server may have. */
const MAX_ATTRIBUTES = 128;

/** What all upstreams of a connector share. */
interface Shared {
  /** Of what servers send; the same object as long as they are the same. */
  readonly xmlLimits: () => XmlLimits;
  readonly resolver: Resolver;
  readonly families: Families;
  readonly meter: Meter;
  /** Upstreams whose streams are not up yet. */
  connecting: number;
}

/** The connector that speaks XMPP over TCP (RFC 6120) and over TLS (XEP-0368). */
export function tcpConnector(options: TcpConnectorOptions): Connector {
  const bound = {
    most: () => options.limits().lookups ?? Infinity,
    met: () => options.onLimit?.("limits.lookups", ""),
  };
  let xml: XmlLimits = { payloadBytes: 0, depth: 0, attributes: MAX_ATTRIBUTES };
  const shared: Shared = {
    xmlLimits() {
      const { serverStanza, depth } = options.limits();
      if (serverStanza !== xml.payloadBytes || depth !== xml.depth) {
        xml = { payloadBytes: serverStanza, depth, attributes: MAX_ATTRIBUTES };
      }
      return xml;
    },
    resolver: new Resolver(options.clock, undefined, bound),
    families: new Families(options.clock),
    meter: options.meter ?? new Meter(options.clock),
    connecting: 0,
  };
  return {
    open(request, events) {
      const upstream = new TcpUpstream(options, shared, request, events);
      // The caller has the upstream before it hears of it.
      queueMicrotask(() => void upstream.run());
      return upstream;
    },
  };
}

/** Of all that DNS has for a domain, so many places are dialled for one session. */
const MAX_ATTEMPTS = 16;

class TcpUpstream implements Upstream, ConnectionEvents {
  readonly #options: TcpConnectorOptions;
  readonly #shared: Shared;
  readonly #request: UpstreamRequest;
  readonly #events: UpstreamEvents;
  /** Ends the search for a place; `undefined` when it is over. */
  #cancel: AbortController | undefined = new AbortController();
  #attempt: Attempt | undefined;
  #connection: Connection | undefined;
  /** `undefined` once the stream has been up. */
  #early: Early | undefined = new Early();
  #flowing = true;
  /** The client is read: little waits of what it sent. */
  #takes = true;
  /** Places that were dialled in vain. */
  #attempts = 0;
  /** A server has sent us elsewhere. */
  #followed = false;
  /** `ended` has been told, or is about to be. */
  #over = false;

  constructor(
    options: TcpConnectorOptions,
    shared: Shared,
    request: UpstreamRequest,
    events: UpstreamEvents,
  ) {
    this.#options = options;
    this.#shared = shared;
    this.#request = request;
    this.#events = events;
  }

  async run(): Promise<void> {
    const { connecting = Infinity } = this.#options.limits();
    if (this.#shared.connecting >= connecting) {
      this.#options.onLimit?.("limits.connecting", this.#request.client.address);
      return this.#finish({
        type: "connection-failed",
        reason: `No stream to ${this.#domain}: too many are being opened here at the moment ` +
          "(limits.connecting)",
      });
    }
    this.#shared.connecting++;
    try {
      await this.#reach();
    } catch (error) {
      this.#fault(error);
      this.#finish({
        type: "connection-failed",
        reason: `No stream to ${this.#domain}: an internal error came in between`,
      });
    } finally {
      this.#shared.connecting--;
    }
  }

  send(content: Uint8Array): void {
    if (this.#over) return;
    if (this.#early === undefined) return this.#connection?.send(content);
    const kept = trimmed(content);
    this.#early.push(kept);
    this.#connection?.send(kept);
    this.queued();
  }

  restart(restart: Restart = {}): void {
    if (this.#over) return;
    this.#early?.push(restart);
    this.#connection?.restart(restart);
  }

  flow(open: boolean): void {
    this.#flowing = open;
    // Before the stream is up there is nothing that could be held back.
    if (this.#early === undefined) this.#connection?.flow(open);
  }

  close(): void {
    if (this.#over) return;
    this.#connection?.close();
    if (this.#early !== undefined) this.#giveUp();
  }

  abort(): void {
    if (this.#over) return;
    this.#connection?.abort();
    this.#giveUp();
  }

  get queuedBytes(): number {
    if (this.#over) return 0;
    return this.#early?.size ?? this.#connection?.queuedBytes ?? 0;
  }

  get #searching(): AbortSignal {
    return this.#cancel?.signal ?? AbortSignal.abort();
  }

  get #domain(): string {
    return this.#request.opening.to;
  }

  /** Tries one place after the other until a stream is up. */
  async #reach(): Promise<void> {
    const domainSettings = this.#options.settings(this.#domain);
    if (domainSettings === undefined) {
      return this.#finish({
        type: "connection-failed",
        reason: `No stream to ${this.#domain}: the domain is not served here`,
      });
    }
    const settings = settingsFor(this.#request, domainSettings);
    const search: Search = {
      ...this.#shared,
      clock: this.#options.clock,
      cancelled: this.#searching,
      random: this.#options.random,
      mayDial: this.#options.mayDial ?? isPublic,
    };
    const { route } = this.#request;
    const places = route === undefined || route.isNamed
      ? candidates(this.#domain, settings, search)
      : namedByClient(this.#domain, placeOf(route), settings, search);
    const failure = await this.#tryEach(places, settings, async (elsewhere) => {
      if (!this.#mayFollow(settings)) return elsewhere.failure;
      this.#followed = true;
      // The operator trusts the server that `connect` names, also with where it sends us; but who
      // speaks in the clear, or may have any certificate, need not be that server.
      const isKnown = (elsewhere.isEncrypted && settings.verify) || settings.tls === "never";
      const isTrusted = settings.connect.length > 0 && isKnown;
      const mayDial = isTrusted ? () => true : search.mayDial;
      const others = redirection(this.#domain, elsewhere, settings, { ...search, mayDial });
      this.#report(elsewhere.failure, true);
      return await this.#tryEach(others, settings);
    });
    if (failure === undefined) return;
    this.#report(failure, false);
    this.#finish(failure.end ?? { type: "connection-failed", reason: this.#sentence(failure) });
  }

  /**
   * Once in a session, so that nobody is sent about for ever. A client that names its own route is
   * taken there and nowhere else; and that a way needs no TLS is said of the way to one place only.
   */
  #mayFollow({ tls }: UpstreamConfig): boolean {
    const { route, secure } = this.#request;
    return !this.#followed && route === undefined && !(secure && tls === "never");
  }

  /**
   * Tries these places until a stream is up; the last failure when none comes up. `follow` goes where
   * a server sends us before anything of it was seen; without it, that is a failure like any other.
   */
  async #tryEach(
    places: AsyncIterable<Candidate | Failure>,
    settings: UpstreamConfig,
    follow?: (elsewhere: Elsewhere) => Promise<Failure | undefined>,
  ): Promise<Failure | undefined> {
    let failure: Failure | undefined;
    for await (const place of places) {
      if (failure !== undefined) this.#report(failure, true);
      if ("reason" in place) {
        failure = place;
        continue;
      }
      failure = await this.#try(place, settings);
      if (failure?.otherHost !== undefined && follow) {
        const { otherHost, isEncrypted = false } = failure;
        failure = await follow({ failure, otherHost, isEncrypted, direct: place.direct });
      }
      if (failure === undefined || this.#over) return undefined;
      // A domain's owner decides how many places there are, and a stranger how often they are tried.
      if (++this.#attempts >= MAX_ATTEMPTS) break;
    }
    return failure;
  }

  /** `undefined` when the stream is up, or nobody wants it any more. */
  async #try(candidate: Candidate, settings: UpstreamConfig): Promise<Failure | undefined> {
    const { clock } = this.#options;
    const { target, direct, port } = candidate;
    const { verify, fingerprints, ca, identity } = settings;
    const hostname = asciiDomain(this.#domain) ?? this.#domain;
    const tls = { hostname, verify, fingerprints, ca, identity };
    const timeout = settings.connectTimeout;
    const begun = clock.now();
    let pipe: Pipe;
    try {
      pipe = await within(
        { clock, timeout: candidate.patience, cancelled: this.#searching },
        `no answer from ${target}`,
        (signal) => dial(candidate, direct || settings.tls !== "never" ? tls : undefined, signal),
      );
    } catch (error) {
      if (clock.now() - begun >= candidate.patience) candidate.silent();
      return { phase: "tcp", target, reason: words(error) };
    }
    const connected = clock.now();
    this.#shared.meter.reached("tcp", connected - begun);
    if (this.#over) {
      pipe.close();
      return undefined;
    }
    const stream = new C2sStream({
      opening: this.#request.opening,
      tls: settings.tls,
      direct,
      limits: this.#shared.xmlLimits(),
      timeout,
      keepalive: settings.keepalive,
      hidden: hiddenSasl(settings),
    });
    for (const item of this.#early?.items ?? []) {
      if (item instanceof Uint8Array) stream.send(item);
      else stream.restart(item);
    }
    const { client } = this.#request;
    const preamble = settings.proxyProtocol === 0
      ? undefined
      : proxyHeader(settings.proxyProtocol, client, { address: candidate.hostname, port });
    return await new Promise((settle) => {
      this.#attempt = { target, direct, stream, settle, connected, tlsTime: 0 };
      this.#connection = new Connection({ pipe, stream, tls, timeout, clock }, this);
      this.#connection.start({ preamble, direct });
    });
  }

  // ---- from the connection

  opened(header: StreamHeader): void {
    if (this.#over) return;
    const attempt = this.#attempt;
    if (attempt !== undefined) {
      this.#attempt = this.#early = this.#cancel = undefined;
      this.#connection?.flow(this.#flowing);
      // What waited is the connection's now, and it will say what becomes of it.
      this.sent();
      const { target, direct, stream, settle, connected, tlsTime } = attempt;
      const { meter } = this.#shared;
      meter.upstreams++;
      meter.reached("stream", this.#options.clock.now() - connected - tlsTime);
      this.#reached(target, direct ? "direct" : stream.encrypted ? "starttls" : "none");
      settle(undefined);
    }
    this.#events.opened(header);
  }

  deliver(payloads: readonly Payload[]): void {
    if (!this.#over) this.#events.deliver(payloads);
  }

  ended(end: StreamEnd, phase: "tls" | "stream"): void {
    if (this.#early === undefined) return this.#finish(this.#lost(end));
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    const { target, stream, settle } = attempt;
    const isEncrypted = stream.encrypted;
    settle(this.#over ? undefined : { ...failed(end, phase, target), isEncrypted });
  }

  secured(ms: number): void {
    this.#shared.meter.reached("tls", ms);
    if (this.#attempt) this.#attempt.tlsTime = ms;
  }

  queued(): void {
    if (!this.#takes || this.#over) return;
    if (this.queuedBytes > this.#options.limits().queuedBytes / 2) this.#tellFlow(false);
  }

  sent(): void {
    if (this.#takes || this.#over) return;
    this.#tellFlow(this.queuedBytes < this.#options.limits().queuedBytes / 4);
  }

  unsent(bytes: number): void {
    if (bytes === 0) return;
    const { session, client } = this.#request;
    const domain = this.#domain;
    this.#options.emit({ type: "unsent", session, domain, client, to: "server", bytes });
  }

  fault(error: unknown): void {
    this.#fault(error);
    // It may come from `ended` itself, which then tells nothing more.
    const attempt = this.#attempt;
    this.#attempt = undefined;
    const reason = "an internal error came in between";
    attempt?.settle({ phase: "stream", target: attempt.target, reason });
  }

  // ---- the end

  /** Ends it before it was up, or without ceremony: the session hears `closed`, but not before its call returns. */
  #giveUp(): void {
    this.#leave();
    this.#cancel?.abort();
    queueMicrotask(() => this.#tellEnd({ type: "closed" }));
  }

  #finish(end: StreamEnd): void {
    if (this.#over) return;
    this.#leave();
    this.#tellEnd(end);
  }

  #leave(): void {
    this.#over = true;
    if (this.#early === undefined) this.#shared.meter.upstreams--;
    this.#dropEarly();
  }

  /** What waited for the stream to be up, and never was. */
  #dropEarly(): void {
    const bytes = this.#early?.contentBytes ?? 0;
    this.#early = undefined;
    this.unsent(bytes);
  }

  #tellFlow(open: boolean): void {
    this.#takes = open;
    this.#events.flow?.(open);
  }

  #tellEnd(end: StreamEnd): void {
    try {
      this.#events.ended(end);
    } catch (error) {
      this.#fault(error);
    }
  }

  #lost(end: StreamEnd): StreamEnd {
    return end.type === "connection-failed"
      ? { type: end.type, reason: `The stream to ${this.#domain} was lost: ${end.reason}` }
      : end;
  }

  #reached(target: string, tls: "none" | "starttls" | "direct"): void {
    const { session, client } = this.#request;
    const domain = this.#domain;
    this.#options.emit({ type: "upstream-connected", session, domain, client, target, tls });
  }

  #report({ phase, target, reason }: Failure, retrying: boolean): void {
    this.#options.emit({
      type: "upstream-failed",
      session: this.#request.session,
      domain: this.#domain,
      client: this.#request.client,
      target,
      phase,
      reason,
      retrying,
    });
  }

  #sentence({ phase, target, reason }: Failure): string {
    return `No stream to ${this.#domain}: ${STEP[phase]} ${target} failed: ${reason}`;
  }

  #fault(error: unknown): void {
    const { session, client } = this.#request;
    this.#options.emit({ type: "fault", session, client, error });
  }
}
