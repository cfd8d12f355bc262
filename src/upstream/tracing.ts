/**
 * Tells of every stanza of some sessions, for whoever looks for a mistake in a client: with the
 * operator's consent to see what is written there, and without what logs somebody in.
 */

import type { EventSink, ManagerEvent } from "../events.ts";
import type { Restart, StreamEnd, StreamHeader } from "../protocol/stream/c2s.ts";
import { DECLARED, shown } from "../protocol/stream/redaction.ts";
import type { Declaration, Payload } from "../protocol/xml/payload.ts";
import type { Connector, Upstream, UpstreamEvents, UpstreamRequest } from "./connector.ts";

/** The connector, with a `trace` of the streams of clients whose address is traced; others pass it by. */
export function tracingConnector(
  connector: Connector,
  isTraced: (address: string) => boolean,
  emit: EventSink,
): Connector {
  return {
    open(request, events) {
      if (!isTraced(request.client.address)) return connector.open(request, events);
      const trace = new Trace(request, emit);
      return new TracedUpstream(connector.open(request, new TracedEvents(events, trace)), trace);
    },
  };
}

class Trace {
  readonly #of: Pick<ManagerEvent & { type: "trace" }, "session" | "domain" | "client">;
  readonly #emit: EventSink;

  constructor({ session, opening, client }: UpstreamRequest, emit: EventSink) {
    this.#of = { session, domain: opening.to, client };
    this.#emit = emit;
  }

  tell(direction: "up" | "down", content: Uint8Array, inherited: readonly Declaration[]): void {
    for (const { bytes, xml } of shown(content, inherited)) {
      this.#emit({ type: "trace", ...this.#of, direction, bytes, xml });
    }
  }
}

class TracedUpstream implements Upstream {
  readonly #upstream: Upstream;
  readonly #trace: Trace;

  constructor(upstream: Upstream, trace: Trace) {
    this.#upstream = upstream;
    this.#trace = trace;
  }

  send(content: Uint8Array): void {
    this.#trace.tell("up", content, DECLARED);
    this.#upstream.send(content);
  }

  restart(restart?: Restart): void {
    this.#upstream.restart(restart);
  }

  flow(open: boolean): void {
    this.#upstream.flow(open);
  }

  close(): void {
    this.#upstream.close();
  }

  abort(): void {
    this.#upstream.abort();
  }

  get queuedBytes(): number {
    return this.#upstream.queuedBytes;
  }
}

class TracedEvents implements UpstreamEvents {
  readonly #events: UpstreamEvents;
  readonly #trace: Trace;

  constructor(events: UpstreamEvents, trace: Trace) {
    this.#events = events;
    this.#trace = trace;
  }

  opened(header: StreamHeader): void {
    this.#events.opened(header);
  }

  deliver(payloads: readonly Payload[]): void {
    for (const { bytes, inherits } of payloads) this.#trace.tell("down", bytes, inherits);
    this.#events.deliver(payloads);
  }

  flow(open: boolean): void {
    this.#events.flow?.(open);
  }

  ended(end: StreamEnd): void {
    this.#events.ended(end);
  }
}
