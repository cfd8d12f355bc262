import type { Restart, StreamEnd } from "../../src/protocol/stream/c2s.ts";
import type {
  Connector,
  Upstream,
  UpstreamEvents,
  UpstreamRequest,
} from "../../src/upstream/connector.ts";
import { payloadsOf } from "./bosh_conversation.ts";

const decoder = new TextDecoder();

/** Opens upstreams that the test plays. */
export class FakeConnector implements Connector {
  /** In the order in which they were opened. */
  readonly upstreams: FakeUpstream[] = [];
  /** What a new upstream does at once. */
  onOpen: (upstream: FakeUpstream) => void = (upstream) => {
    upstream.opened();
    upstream.say("<stream:features/>");
  };

  open(request: UpstreamRequest, events: UpstreamEvents): Upstream {
    const upstream = new FakeUpstream(request, events);
    this.upstreams.push(upstream);
    queueMicrotask(() => this.onOpen(upstream));
    return upstream;
  }

  /** The newest. */
  get last(): FakeUpstream {
    return this.upstreams.at(-1)!;
  }
}

/** One upstream; what the session does with it is written down. */
export class FakeUpstream implements Upstream {
  readonly request: UpstreamRequest;
  readonly log: string[] = [];
  queuedBytes = 0;
  /** What it does when the session has done something with it. */
  onCall: (call: string) => void = () => {};
  readonly #events: UpstreamEvents;
  #restarts = 0;

  constructor(request: UpstreamRequest, events: UpstreamEvents) {
    this.request = request;
    this.#events = events;
  }

  send(content: Uint8Array): void {
    this.#note(`send ${decoder.decode(content)}`);
  }

  restart(restart?: Restart): void {
    this.#note(restart?.attributes ? `restart ${JSON.stringify(restart.attributes)}` : "restart");
  }

  flow(open: boolean): void {
    this.#note(open ? "flow open" : "flow closed");
  }

  close(): void {
    this.#note("close");
  }

  abort(): void {
    this.#note("abort");
  }

  #note(call: string): void {
    this.log.push(call);
    queueMicrotask(() => this.onCall(call));
  }

  opened(): void {
    const id = `stream-${++this.#restarts}`;
    this.#events.opened({ id, from: this.request.opening.to, lang: "en", version: "1.0" });
  }

  say(xml: string): void {
    this.#events.deliver(payloadsOf(xml));
  }

  /** Says whether the client is to be read. */
  takes(open: boolean): void {
    this.#events.flow?.(open);
  }

  /** Ends with a stream error. */
  fail(xml: string): void {
    this.end({ type: "stream-error", error: payloadsOf(xml)[0]! });
  }

  end(end: StreamEnd): void {
    this.#events.ended(end);
  }
}
