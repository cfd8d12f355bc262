import type { BoshAction, SessionInit } from "../../../src/protocol/bosh/actions.ts";
import type { Granted } from "../../../src/protocol/bosh/negotiation.ts";
import type { RequestId } from "../../../src/protocol/bosh/window.ts";
import { type BoshAnswer, readAnswer } from "./answer.ts";
import { ModelActivity, ModelKeys } from "./rules.ts";
import { broken, ModelStream, type Wanted } from "./streams.ts";
import { type Entry, ModelWindow } from "./window.ts";

export type Ended = Extract<BoshAction, { type: "ended" }>;
export type Respond = Extract<BoshAction, { type: "respond" }>;
export type Upstream = Extract<
  BoshAction,
  { type: "open-stream" | "restart-stream" | "send" | "close-stream" }
>;
/** `return`: the errors for stanzas of these ids, which never reached the client. */
export type Expected =
  | Upstream
  | { readonly type: "return"; readonly stream: string; readonly ids: readonly string[] };

const TOO_MUCH = "too much is waiting for the client (limits.queued_bytes)";
const TERMINATED = "the client ended the session";

/** One input: what the session did about it, and what it had to do. */
export class Turn {
  readonly now: number;
  readonly actions: readonly BoshAction[];
  readonly ended: Ended | undefined;
  /** Upstream actions, but for those of the session's end. */
  readonly upstream: Expected[] = [];
  /** The session must end for this; the offenders, one rid's, are answered with the condition. */
  fail: { readonly condition: string; readonly offenders?: ReadonlySet<RequestId> } | undefined;
  /** `listening`: the client of the terminating request is there. */
  terminated: { readonly listening: boolean } | undefined;
  shutdown = false;
  /** The answered rid that is repeated. */
  repeated: Entry | undefined;
  /** The rid that is repeated whose first answer nobody may have seen. */
  doubtful: Entry | undefined;
  processed = 0;
  /** A request was processed that lets others go with nothing. */
  letsGo = false;
  /** No more are held than so many, whether or not a request was processed. */
  released: number | undefined;
  pausedAt: number | undefined;
  readonly acks: number[] = [];
  terminalTold = false;
  firstAnswers = 0;
  /** Answers with payloads. */
  loaded = 0;
  undeliveredBytes = 0;
  /** Answers with payloads that left before the turn of the request at hand. */
  givenBefore = 0;
  readonly before: {
    readonly held: number;
    readonly anyLive: boolean;
    readonly last: number;
    readonly certainlyAnswered: number;
  };

  constructor(now: number, actions: readonly BoshAction[], window: ModelWindow) {
    this.now = now;
    this.actions = actions;
    const at = actions.findIndex((action) => action.type === "ended");
    this.ended = at < 0 ? undefined : actions[at] as Ended;
    if (at >= 0 && at < actions.length - 1) broken(7, "something comes after `ended`");
    const { heldCount: held, anyLive, last, certainlyAnswered } = window;
    this.before = { held, anyLive, last, certainlyAnswered };
  }

  /** All answers that can be read. */
  get answers(): { readonly request: RequestId; readonly answer: BoshAnswer }[] {
    return this.actions.flatMap((action) => {
      if (action.type !== "respond") return [];
      const answer = readAnswer(action.body);
      return typeof answer === "string" ? [] : [{ request: action.request, answer }];
    });
  }

  /** Requests that are told that the session ends with the condition with which it does. */
  get told(): RequestId[] {
    return this.answers.filter(({ answer: { type, stream, condition } }) =>
      type === "terminate" && stream === undefined && condition === this.ended?.condition
    ).map(({ request }) => request);
  }

  /** The first request that is told that the streams are over, or the connection manager is. */
  get firstTold(): RequestId | undefined {
    if (this.ended?.reason === TERMINATED || this.overflows) return undefined;
    return this.told[0];
  }

  get overflows(): boolean {
    return this.ended?.reason === TOO_MUCH;
  }
}

/** What the model knows between two inputs. */
export class ModelState {
  readonly init: SessionInit;
  readonly granted: Granted;
  readonly window: ModelWindow;
  readonly streams: ModelStream[] = [];
  readonly keys = new ModelKeys();
  readonly activity: ModelActivity;
  /** Requests that must still be answered. */
  readonly open = new Map<RequestId, Entry | undefined>();
  readonly abandoned = new Set<RequestId>();
  /** Which stream a payload is of, by its id. */
  readonly streamOf = new Map<string, ModelStream>();
  writesToAlways: boolean;
  pause: number | undefined;
  /** Until when the client is waited for, when the connection manager goes down. */
  lastCall: number | undefined;
  quietSince: number;
  repeats = { rid: 0, times: 0, since: 0 };
  deadline: number | undefined;

  constructor(now: number, init: SessionInit, granted: Granted) {
    const { creation, limits } = init;
    this.init = init;
    this.granted = granted;
    this.window = new ModelWindow(creation.rid, granted.requests, limits.queuedBytes);
    this.activity = new ModelActivity(granted, limits.strict);
    this.keys.accepts(creation.key, creation.newkey);
    this.writesToAlways = init.writesToAlways;
    this.quietSince = now;
  }

  addStream(): ModelStream {
    const stream = new ModelStream(`stream${this.streams.length + 1}`);
    this.streams.push(stream);
    return stream;
  }

  want(stream: ModelStream, wanted: Wanted): void {
    stream.want(wanted);
    this.streamOf.set(wanted.id, stream);
  }

  stream(name: string): ModelStream | undefined {
    return this.streams.find((stream) => stream.name === name);
  }

  /** Requests that may be held: more than `hold` while an upstream does not take what is sent. */
  get mostHeld(): number {
    const { hold, requests } = this.granted;
    return this.openStreams.some(({ takes }) => !takes) ? requests : hold;
  }

  get openStreams(): ModelStream[] {
    return this.streams.filter((stream) => stream.isOpen);
  }

  /** The stream whose end may have been the session's. */
  lastToEnd({ condition, reason }: Ended): ModelStream | undefined {
    if (this.openStreams.length > 0) return undefined;
    return this.streams.find(({ end, endTold }) =>
      end && !endTold && end.condition === condition && end.reason === reason
    );
  }

  isLastCall({ condition }: Ended): boolean {
    return this.lastCall !== undefined && condition === "system-shutdown";
  }

  /** Requests that wait for an answer. */
  get unanswered(): RequestId[] {
    return [...this.open.keys()];
  }

  /** Whether something is still to be told to the client. */
  get owes(): boolean {
    return this.streams.some((stream) => stream.owes);
  }

  get quietUntil(): number {
    return this.quietSince + (this.pause ?? this.granted.inactivity);
  }
}
