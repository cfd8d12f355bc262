import { letsGoAt } from "./window.ts";
import { broken } from "./streams.ts";
import type { ModelState, Turn } from "./state.ts";

/** What holds after every input, and at the end. */
export class Aftermath {
  readonly #state: ModelState;

  constructor(state: ModelState) {
    this.#state = state;
  }

  judgeEnd(turn: Turn): void {
    const { ended, fail, terminated, shutdown } = turn;
    const hasCause = fail !== undefined || terminated !== undefined || shutdown;
    const due = fail?.condition ?? (shutdown ? "system-shutdown" : undefined);
    if (!ended) {
      if (hasCause) broken(7, `the session goes on, and must end with ${due}`);
      return;
    }
    if (hasCause) {
      if (ended.condition !== due) broken(7, `it ends with ${ended.condition}, not ${due}`);
      if (terminated?.listening && !turn.terminalTold) broken(1, "no answer says terminate");
    } else if (turn.overflows) {
      if (turn.undeliveredBytes <= this.#state.init.limits.queuedBytes) {
        broken(7, "it ends for too much that waits, and not much waited");
      }
    } else if (this.#state.isLastCall(ended)) {
      if (!turn.terminalTold) broken(1, "it shuts down too soon, and nobody is told");
    } else {
      const last = this.#state.lastToEnd(ended);
      if (!last || !turn.terminalTold) return broken(7, `it ends for no reason: ${ended.reason}`);
      last.endTold = true;
      if (this.#state.owes) broken(4, "it ends, and did not tell of all streams' ends");
    }
    if (this.#state.open.size > 0) {
      broken(1, `requests ${this.#state.unanswered} are never answered`);
    }
    for (const stream of this.#state.streams) {
      if (terminated) stream.skip();
      const { wanted, got } = stream;
      if (got < wanted.length) broken(4, `${wanted[got]!.text} is neither delivered nor reported`);
    }
  }

  settle(turn: Turn, deadline: number | undefined): void {
    if (turn.ended) {
      if (deadline !== undefined) broken(6, "what is over has a deadline");
      return;
    }
    const { window } = this.#state;
    // Whether answers of this turn came before its acknowledgements cannot be seen.
    window.forget();
    const { certainlyAnswered } = turn.before;
    for (const ack of turn.acks) {
      const certain = certainlyAnswered >= this.#state.init.creation.rid &&
        ack <= certainlyAnswered;
      window.acknowledge(ack, certain);
    }
    if (turn.pausedAt !== undefined) window.letGoUpTo(turn.pausedAt);
    if (turn.processed > 0) window.letGoAllBut(this.#state.mostHeld);
    if (turn.released !== undefined) window.letGoAllBut(turn.released);
    window.forget();
    this.#state.activity.answered(turn.loaded, turn.processed);
    for (const [request, entry] of this.#state.open) {
      if (entry === turn.repeated && entry) broken(2, `rid ${entry.rid} is not answered again`);
      if (entry === undefined) broken(1, `request ${request} is not answered`);
    }
    this.#checkStreams();
    this.#checkHeld();
    this.#checkDeadline(turn, deadline);
  }

  #checkStreams(): void {
    if (this.#state.streams.every((stream) => !stream.isOpen && stream.endTold)) {
      broken(7, "all streams are over, and the session is not");
    }
    const { queuedBytes } = this.#state.init.limits;
    const waiting = this.#state.streams.reduce((sum, stream) => sum + stream.waitingBytes, 0);
    if (waiting > queuedBytes) broken(4, `${waiting} bytes wait for the client`);
    const flows = waiting <= queuedBytes / 2;
    if (this.#state.streams.some((stream) => stream.isOpen && stream.flows !== flows)) {
      broken(4, `${waiting} bytes wait, and the upstream is ${flows ? "not " : ""}read`);
    }
  }

  #checkHeld(): void {
    const { live } = this.#state.window;
    const [oldest] = live;
    if (!oldest) return;
    const { mostHeld } = this.#state;
    if (live.length > mostHeld && (live.length > 1 || oldest.opens === undefined)) {
      broken(8, `${live.length} requests are held, and ${mostHeld} may be`);
    }
    if (!this.#state.owes && this.#state.lastCall === undefined) return;
    const opens = oldest.opens === undefined ? undefined : this.#state.stream(oldest.opens);
    if (!opens?.isOpen || opens.featuresSeen || !this.#state.owes) {
      broken(8, `rid ${oldest.rid} is held, and there is something to tell`);
    }
  }

  #checkDeadline(turn: Turn, deadline: number | undefined): void {
    const { now } = turn;
    const before = this.#state.deadline;
    this.#state.deadline = deadline;
    if (deadline === undefined || Number.isNaN(deadline)) return broken(6, `deadline ${deadline}`);
    const wasOverdue = before !== undefined && before < now;
    if (deadline < now && !wasOverdue) broken(6, `at ${now} the deadline is ${deadline}`);
    const { live } = this.#state.window;
    if (live.length > 0) {
      const last = this.#state.lastCall ?? Infinity;
      const first = Math.min(last, ...live.map(letsGoAt));
      const earliest = Math.min(first, ...live.map((entry) => entry.earliest));
      const latest = Math.min(first, ...live.map((entry) => entry.latest));
      if (deadline < earliest || deadline > latest) {
        broken(6, `the deadline is ${deadline}, not between ${earliest} and ${latest}`);
      }
      return;
    }
    const isActive = turn.before.anyLive || turn.firstAnswers > 0 || turn.processed > 0 ||
      (turn.repeated !== undefined && this.#state.pause === undefined);
    if (isActive) this.#state.quietSince = now;
    const until = Math.min(this.#state.quietUntil, this.#state.lastCall ?? Infinity);
    if (deadline !== until) broken(6, `nobody listens; the deadline is ${deadline}, not ${until}`);
  }
}
