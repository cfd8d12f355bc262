import { type BoshAnswer, idOf, isSilent, isTold, readAnswer, sameBytes } from "./answer.ts";
import { describeAction } from "./describe.ts";
import type { Expected, ModelState, Respond, Turn, Upstream } from "./state.ts";
import { broken, type ModelStream, type Stanza, type Wanted } from "./streams.ts";
import { type Entry, letsGoAt } from "./window.ts";

const decoder = new TextDecoder();
/** XEP-0124 §17.1. */
const LEGACY_STATUS: Readonly<Record<string, number>> = {
  "bad-request": 400,
  "policy-violation": 403,
  "item-not-found": 404,
};

/** Holds what the session did in a turn against what it had to do. */
export class Judgement {
  readonly #state: ModelState;

  constructor(state: ModelState) {
    this.#state = state;
  }

  watch(turn: Turn): void {
    const expected = [...turn.upstream];
    let ending = false;
    for (const action of turn.actions) {
      switch (action.type) {
        case "respond":
          if (ending) broken(7, "an answer comes after the end of the streams");
          this.#answered(turn, action);
          break;
        case "flow": {
          const stream = this.#state.stream(action.stream);
          if (!stream?.isUp) return broken(7, `${describeAction(action)}: it is not open`);
          stream.flows = action.open;
          break;
        }
        case "acknowledged":
          if (!turn.acks.includes(action.rid)) broken(1, `nobody acknowledged ${action.rid}`);
          break;
        case "undelivered": {
          if (expected.length > 0 || ending) return broken(7, "`undelivered` is out of place");
          const texts = action.payloads.map(({ bytes }) => decoder.decode(bytes));
          ending = true;
          expected.push(...this.#endOfStreams(turn, this.#undelivered(turn, texts)));
          break;
        }
        case "ended":
        case "open-stream":
        case "restart-stream":
        case "send":
        case "close-stream":
          if (expected.length === 0 && !ending && turn.ended) {
            ending = true;
            expected.push(...this.#endOfStreams(turn, []));
          }
          if (action.type !== "ended") this.#upstream(expected.shift(), action);
          break;
        default:
          action satisfies never;
      }
    }
    const [missing] = expected;
    if (missing) broken(ending ? 7 : 3, `upstream: ${JSON.stringify(missing)} is missing`);
  }

  #upstream(expected: Expected | undefined, action: Upstream): void {
    if (!expected || !isExpected(expected, action)) {
      broken(3, `${describeAction(action)} instead of ${JSON.stringify(expected)}`);
    }
    const stream = this.#state.stream(action.stream);
    if (!stream) return broken(7, `${describeAction(action)}: there is no such stream`);
    if (action.type === "open-stream") stream.isUp = true;
    else if (!stream.isUp) broken(7, `${describeAction(action)}: it is not open`);
    if (action.type === "close-stream") stream.isUp = false;
  }

  #undelivered(turn: Turn, texts: readonly string[]): { stream: ModelStream; wanted: Wanted }[] {
    return texts.map((text) => {
      const stream = this.#state.streamOf.get(idOf(text));
      if (!stream) return broken(4, `nobody sent ${text}`);
      if (turn.terminated) stream.skip();
      const wanted = stream.take(text);
      turn.undeliveredBytes += wanted.size;
      return { stream, wanted };
    });
  }

  /** What the upstreams are told when the session ends, stream by stream. */
  #endOfStreams(
    turn: Turn,
    undelivered: readonly { stream: ModelStream; wanted: Wanted }[],
  ): Expected[] {
    const inGoodOrder = turn.fail === undefined && !turn.overflows;
    return this.#state.openStreams.flatMap((stream): Expected[] => {
      const ids = stream.hasStreamManagement ? [] : undelivered
        .filter((one) => one.stream === stream && one.wanted.bounces)
        .map((one) => one.wanted.id);
      const { name } = stream;
      const clean = inGoodOrder || ids.length > 0;
      const close: Expected = { type: "close-stream", stream: name, clean };
      return ids.length > 0 ? [{ type: "return", stream: name, ids }, close] : [close];
    });
  }

  read({ request, status, body }: Respond): BoshAnswer {
    const answer = readAnswer(body);
    if (typeof answer === "string") return broken(9, `the answer to request ${request}: ${answer}`);
    const endsSession = answer.type === "terminate" && answer.stream === undefined;
    const isLegacy = this.#state.init.creation.ver === undefined;
    const due = isLegacy && endsSession ? LEGACY_STATUS[answer.condition ?? ""] ?? 200 : 200;
    if (status !== due) broken(1, `request ${request} is answered with status ${status}`);
    return answer;
  }

  #answered(turn: Turn, action: Respond): void {
    const { request, body } = action;
    const entry = this.#state.open.get(request);
    if (!this.#state.open.delete(request)) {
      const what = this.#state.abandoned.has(request)
        ? "was abandoned"
        : "was answered, or is none";
      broken(1, `request ${request} ${what}, and is answered`);
    }
    const answer = this.read(action);
    if (turn.fail?.offenders?.has(request)) {
      const isFair = isTold(answer, turn.fail.condition);
      if (!isFair) broken(1, `request ${request} ends the session, and is not told why`);
      return;
    }
    if (entry === undefined) return broken(1, `request ${request} is answered for no reason`);
    const { rid } = entry;
    const isReplaced = entry.state === "held" && letsGoAt(entry) <= turn.now &&
      request !== [...entry.requests].at(-1);
    entry.requests.delete(request);
    if (isReplaced && isSilent(answer)) return;
    if (entry.state === "waiting") {
      if (!turn.ended || answer.payloads.length > 0) {
        broken(5, `rid ${rid} is behind a gap, and is answered`);
      }
    } else if (entry.response !== undefined) {
      if (!sameBytes(entry.response, body)) broken(2, `rid ${rid} gets another answer than before`);
    } else if (entry.state === "answered") {
      // Its first answer was given while its client was not there.
      entry.response = body;
      if (answer.payloads.length > 0 || answer.type !== undefined) {
        broken(4, `rid ${rid} was entrusted with something while its client was not there`);
      }
    } else {
      entry.response = body;
      this.#firstAnswer(turn, entry, answer);
    }
  }

  #firstAnswer(turn: Turn, entry: Entry, answer: BoshAnswer): void {
    const { rid } = entry;
    const { payloads } = answer;
    const isDue = entry.earliest <= turn.now ||
      this.#state.window.live.some((held) => held.earliest <= turn.now);
    this.#state.window.answered(entry);
    turn.firstAnswers++;
    const named = answer.stream === undefined ? undefined : this.#state.stream(answer.stream);
    if (answer.stream !== undefined && !named) broken(4, `a stream ${answer.stream} answers`);
    if (answer.type !== undefined) return this.#terminal(turn, rid, answer, named);
    if (entry === turn.doubtful && payloads.length === 0) return;
    if (turn.terminalTold && payloads.length > 0) {
      broken(4, `rid ${rid} carries data behind the answer that ends the session`);
    }
    const of = this.#takeAll(payloads);
    this.#checkName(entry, named, of);
    this.#checkAttributes(turn, rid, answer);
    const introduced = of ?? named ?? this.#state.streams[0]!;
    if (answer.version !== undefined && ++introduced.introductions > 1) {
      broken(4, `${introduced.name} is introduced twice`);
    }
    if (rid === turn.pausedAt && payloads.length > 0) {
      broken(8, `rid ${rid} asks for a pause, and is given something`);
    }
    const opens = entry.opens === undefined ? undefined : this.#state.stream(entry.opens);
    const mayGo = isDue || turn.letsGo || this.#state.lastCall !== undefined;
    if (opens?.isOpen && !opens.featuresSeen && !mayGo && !turn.terminated) {
      broken(8, `rid ${rid} is answered without the features of ${opens.name}`);
    }
    if (payloads.length > 0) turn.loaded++;
    else if (!isDue && !turn.letsGo && !turn.terminated && answer.report === undefined) {
      broken(8, `rid ${rid} is answered with nothing, and for no reason`);
    }
  }

  #terminal(turn: Turn, rid: number, answer: BoshAnswer, named: ModelStream | undefined): void {
    const { type, condition, payloads } = answer;
    if (type !== "terminate") broken(1, `rid ${rid} is answered with type ${type}`);
    if (named) {
      const { end, got, wanted, name } = named;
      if (!end || named.endTold || got < wanted.length || end.condition !== condition) {
        return broken(4, `the end of ${name} is told, with ${condition}`);
      }
      checkError(payloads, end.error);
      named.endTold = true;
      return;
    }
    const isFirst = !turn.terminalTold;
    turn.terminalTold = true;
    if (!turn.ended) return broken(7, `rid ${rid} is told that the session is over`);
    let due = turn.ended.condition as string | undefined;
    if (turn.terminated) {
      if (!isFirst) broken(1, `rid ${rid} is the second to be told of the end`);
      this.#takeAll(payloads);
    } else if (turn.fail || turn.overflows) {
      // Where some request is to blame, the others are told just that.
      if (!turn.overflows && turn.fail?.offenders) due = "other-request";
      checkError(payloads, undefined);
    } else {
      const last = this.#state.lastToEnd(turn.ended);
      checkError(payloads, isFirst ? last?.end?.error : undefined);
    }
    if (condition !== due) broken(1, `rid ${rid} is told of the end with ${condition}, not ${due}`);
  }

  /** Counts the payloads of one answer; returns the stream that they are of. */
  #takeAll(payloads: readonly string[]): ModelStream | undefined {
    let of: ModelStream | undefined;
    for (const text of payloads) {
      const stream = this.#state.streamOf.get(idOf(text));
      if (!stream) return broken(4, `nobody sent ${text}`);
      if (of && of !== stream) broken(4, "one body carries two streams");
      of = stream;
      stream.take(text);
    }
    return of;
  }

  /** XEP-0124 §16.3, §16.4: which bodies say of which stream they are. */
  #checkName(
    { rid, opens }: Entry,
    named: ModelStream | undefined,
    of: ModelStream | undefined,
  ): void {
    if (this.#state.init.limits.maxStreams === 1) {
      if (named) broken(4, "a stream is named where there is but one");
    } else if (opens !== undefined) {
      if (named?.name !== opens) broken(4, `rid ${rid} opens ${opens}, and is not told so`);
      if (of && of !== named) broken(4, `rid ${rid} opens ${opens}, and carries ${of.name}`);
    } else if (named) {
      if (named !== of) broken(4, `rid ${rid} names ${named.name}`);
    } else if (of && this.#state.streams.some((other) => other !== of && other.isKnown)) {
      broken(4, `rid ${rid} does not say of which stream its payloads are`);
    }
  }

  #checkAttributes(turn: Turn, rid: number, { sid, ack, report, time }: BoshAnswer): void {
    const isCreation = rid === this.#state.init.creation.rid;
    if (isCreation !== (sid !== undefined)) broken(1, `rid ${rid}: the sid is out of place`);
    if (!this.#state.granted.acks) {
      if (ack ?? report ?? time) broken(1, `rid ${rid}: acknowledgements that nobody wants`);
      return;
    }
    const { last } = this.#state.window;
    const fits = ack === undefined
      ? rid >= turn.before.last && !isCreation
      : ack >= turn.before.last && ack <= last && (isCreation || ack !== rid);
    if (!fits) broken(1, `rid ${rid}: ack ${ack}, and the last without a gap is ${last}`);
    if (report === undefined) return;
    if (
      !this.#state.init.limits.report || !turn.acks.includes(report - 1) || !(time! <= turn.now)
    ) {
      broken(1, `rid ${rid}: report ${report}, time ${time}`);
    }
  }
}

function isExpected(expected: Expected, action: Upstream): boolean {
  if (expected.stream !== action.stream) return false;
  switch (expected.type) {
    case "return": {
      if (action.type !== "send") return false;
      const ids = [...decoder.decode(action.content).matchAll(/ id='(\w+)'/g)].map(([, id]) => id);
      return ids.join() === expected.ids.join();
    }
    case "send":
      return action.type === "send" && sameBytes(expected.content, action.content);
    case "open-stream":
      return action.type === "open-stream" && action.opening === expected.opening;
    case "restart-stream":
      return action.type === "restart-stream" && action.attributes === expected.attributes;
    case "close-stream":
      return action.type === "close-stream" && action.clean === expected.clean;
    default:
      return expected satisfies never;
  }
}

function checkError(payloads: readonly string[], error: Stanza | undefined): void {
  const due = error === undefined ? "" : error.wanted.text;
  if (payloads.join("") !== due) broken(4, `${payloads.join("")} instead of the error ${due}`);
}
