import type { BoshAction, SessionInit } from "../../../src/protocol/bosh/actions.ts";
import type { SessionRequest } from "../../../src/protocol/bosh/body.ts";
import { BoshSession } from "../../../src/protocol/bosh/session.ts";
import type { RequestId } from "../../../src/protocol/bosh/window.ts";
import type { StreamEnd } from "../../../src/protocol/stream/c2s.ts";
import { Aftermath } from "./aftermath.ts";
import { isTold } from "./answer.ts";
import { describeAction, describeRequest } from "./describe.ts";
import { Expectation } from "./expectation.ts";
import { Judgement } from "./judgement.ts";
import { toyDigest } from "./rules.ts";
import { ModelState, Turn } from "./state.ts";
import { broken, type ModelEnd, type Stanza } from "./streams.ts";

/** A client between two requests has two seconds to ask, when the connection manager goes down. */
const LAST_CALL = 2_000;

/**
 * A BOSH session, watched: every input goes through here, and what the session does about it is
 * held against what a client, a server and the specification expect. The numbers of invariants
 * are those of the list in bosh_session_model_test.ts.
 */
export class BoshModel {
  readonly session: BoshSession;
  readonly state: ModelState;
  over = false;
  readonly #expectation: Expectation;
  readonly #judgement: Judgement;
  readonly #aftermath: Aftermath;
  readonly #log: ((line: string) => void) | undefined;
  #nextRequest = 0;

  constructor(
    now: number,
    shell: Omit<SessionInit, "sid" | "nameStream" | "sha1">,
    log?: (line: string) => void,
  ) {
    let named = 0;
    const init: SessionInit = {
      ...shell,
      sid: "SID",
      nameStream: () => `stream${++named}`,
      sha1: toyDigest,
    };
    const { creation, limits, opening } = init;
    this.#log = log;
    this.#log?.(`${now} creation ${JSON.stringify({ ...creation, content: undefined, limits })}`);
    const request = this.#nextRequest++;
    this.session = new BoshSession(now, request, init);
    const { granted } = this.session;
    this.state = new ModelState(now, init, granted);
    this.#expectation = new Expectation(this.state);
    this.#judgement = new Judgement(this.state);
    this.#aftermath = new Aftermath(this.state);
    this.#turn(now, (turn) => {
      const stream = this.state.addStream();
      const { name } = stream;
      turn.upstream.push({ type: "open-stream", stream: name, opening });
      const asking = { requests: new Set([request]), joined: Infinity };
      this.#expectation.hold(turn, creation.rid, asking, stream);
      const { content } = creation;
      if (content.length > 0) turn.upstream.push({ type: "send", stream: name, content });
    });
  }

  // ---- inputs

  request(now: number, body: SessionRequest): RequestId {
    const request = this.#nextRequest++;
    this.#log?.(`${now} request ${request}: ${describeRequest(body)}`);
    this.state.open.set(request, undefined);
    this.session.request(now, request, body);
    this.#turn(now, (turn) => this.#expectation.arrive(turn, request, body));
    return request;
  }

  /** A body that breaks a rule by itself. */
  refuse(now: number): void {
    const offender = this.#nextRequest++;
    this.#log?.(`${now} request ${offender} is refused`);
    this.state.open.set(offender, undefined);
    this.session.refuse(now, offender, "bad-request", "it is no body");
    this.#turn(
      now,
      (turn) => turn.fail = { condition: "bad-request", offenders: new Set([offender]) },
    );
  }

  abandon(now: number, request: RequestId): void {
    this.#log?.(`${now} the client of request ${request} leaves`);
    const entry = this.state.open.get(request);
    this.state.open.delete(request);
    this.state.abandoned.add(request);
    this.session.abandon(now, request);
    this.#turn(now, () => {
      if (entry?.requests.has(request)) this.state.window.leave(entry, request);
    });
  }

  streamOpened(now: number, name: string): void {
    this.#log?.(`${now} ${name} is up`);
    const header = { id: `id-${name}`, from: "example.test", lang: undefined, version: "1.0" };
    this.session.streamOpened(now, name, header);
    this.#turn(now, () => {});
  }

  deliver(now: number, name: string, stanzas: readonly Stanza[]): void {
    this.#log?.(`${now} ${name} brings ${stanzas.map(({ wanted }) => wanted.text).join("")}`);
    this.session.deliver(now, name, stanzas.map(({ payload }) => payload));
    // Payloads are borrowed until the call returns.
    for (const { payload } of stanzas) payload.bytes.fill(0x21);
    this.#turn(now, () => {
      const stream = this.state.stream(name);
      if (stream?.isOpen) { for (const { wanted } of stanzas) this.state.want(stream, wanted); }
    });
  }

  streamEnded(now: number, name: string, end: StreamEnd, told: ModelEnd): void {
    this.#log?.(`${now} ${name} ends: ${end.type}`);
    this.session.streamEnded(now, name, end);
    this.#turn(now, (turn) => {
      const stream = this.state.stream(name);
      if (!stream?.isOpen) return;
      stream.isOpen = stream.isUp = false;
      stream.end = told;
      this.#expectation.release(turn);
    });
  }

  flow(now: number, name: string, open: boolean): void {
    this.#log?.(`${now} ${name} ${open ? "takes what is sent" : "is backed up"}`);
    this.session.flow(now, name, open);
    this.#turn(now, (turn) => {
      const stream = this.state.stream(name);
      if (stream) stream.takes = open;
      this.#expectation.release(turn);
    });
  }

  congested(now: number): void {
    this.#log?.(`${now} the upstream is congested`);
    this.session.congested(now);
    this.#turn(now, (turn) => turn.fail = { condition: "policy-violation" });
  }

  handleTimeout(now: number): void {
    this.#log?.(`${now} the alarm rings`);
    const { deadline } = this.session;
    this.session.handleTimeout(now);
    this.#turn(now, (turn) => {
      if ((deadline === undefined || now < deadline) && turn.actions.length > 0) {
        broken(6, `it acts at ${now}, and its deadline is ${deadline}`);
      }
      if (this.state.lastCall !== undefined && now >= this.state.lastCall) turn.shutdown = true;
      else if (!this.state.window.anyLive && now >= this.state.quietUntil) {
        turn.fail = { condition: "item-not-found" };
      }
    });
    if (this.over) return;
    const next = this.session.deadline;
    if (next !== undefined && next <= now) broken(6, `woken at ${now}, it wants to be at ${next}`);
    for (const { rid, latest } of this.state.window.live) {
      if (latest <= now) broken(6, `rid ${rid} waits longer than it was to`);
    }
  }

  shutdown(now: number): void {
    this.#log?.(`${now} shutdown`);
    this.session.shutdown(now);
    this.#turn(now, () => this.state.lastCall = now + LAST_CALL);
  }

  // ---- what came of it

  #turn(now: number, plan: (turn: Turn) => void): void {
    const actions: BoshAction[] = [];
    for (let action; (action = this.session.poll());) actions.push(action);
    if (this.#log) { for (const action of actions) this.#log(`    ${describeAction(action)}`); }
    if (this.over) return this.#late(actions);
    const turn = new Turn(now, actions, this.state.window);
    plan(turn);
    this.#judgement.watch(turn);
    this.#aftermath.judgeEnd(turn);
    this.over = turn.ended !== undefined;
    this.#aftermath.settle(turn, this.session.deadline);
  }

  /** After its end the session has one thing to say, and that to requests alone. */
  #late(actions: readonly BoshAction[]): void {
    for (const action of actions) {
      if (action.type !== "respond") return broken(7, `after the end: ${describeAction(action)}`);
      const answer = this.#judgement.read(action);
      if (!this.state.open.delete(action.request)) broken(1, `request ${action.request} again`);
      if (!isTold(answer, "item-not-found")) broken(1, "a late request is not told so");
    }
    if (this.state.open.size > 0) broken(1, "a late request is not answered");
    if (this.session.deadline !== undefined) broken(6, "what is over has a deadline");
  }
}
