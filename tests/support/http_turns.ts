import type { Passage } from "./recording_relay.ts";

/** A request or an answer as it was on the wire, and when the last of it came. */
export interface Turn {
  readonly from: Passage["from"];
  readonly at: number;
  readonly head: string;
  readonly body: string;
}

/** A request that came before an earlier one on its connection was answered. */
export interface Pipelined {
  readonly request: Turn;
  /** Until the earlier one was answered (milliseconds); `undefined`: it never was. */
  readonly waited: number | undefined;
}

/** The requests and answers of one connection; every body must have a Content-Length. */
export function readTurns(passages: readonly Passage[]): Turn[] {
  const turns: Turn[] = [];
  const rest = { client: "", server: "" };
  for (const { from, at, bytes } of passages) {
    rest[from] += LATIN1.decode(bytes);
    for (let match; (match = HEAD.exec(rest[from]));) {
      const [head] = match;
      const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0);
      if (rest[from].length < head.length + length) break;
      const body = rest[from].slice(head.length, head.length + length);
      rest[from] = rest[from].slice(head.length + length);
      turns.push({ from, at, head, body });
    }
  }
  return turns;
}

/** Those of one connection's requests that were sent behind another. */
export function pipelined(turns: readonly Turn[]): Pipelined[] {
  const requests = turns.filter(({ from }) => from === "client");
  const answers = turns.filter(({ from }) => from === "server");
  return requests.flatMap((request, i) => {
    if (i === 0) return [];
    const answer = answers[i - 1];
    if (answer !== undefined && turns.indexOf(answer) < turns.indexOf(request)) return [];
    return [{ request, waited: answer && answer.at - request.at }];
  });
}

const HEAD = /^[^]*?\r\n\r\n/;
// A character a byte: lengths are right.
const LATIN1 = new TextDecoder("latin1");
