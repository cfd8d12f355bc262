import type { Appointment, Clock } from "../../clock.ts";
import { NetworkError } from "../failure.ts";
import { type Answer, answerOf, MAX_ALIASES } from "./answer.ts";
import type { Exchange, ServerAddress } from "./exchange.ts";
import { encodeQuery, type Question, type Reply } from "./message.ts";

/**
 * Milliseconds after which a question that has no answer is sent again, to each server in turn. The
 * first answer counts, also one to an earlier datagram. They leave, of the ten seconds that a lookup
 * has, some for what follows.
 */
const PATIENCE = [1_000, 1_000, 1_500, 1_500, 1_500, 1_500];

/** Each may need a socket for each server, and whose domains are looked up strangers decide. */
const MAX_QUESTIONS = 200;

/**
 * Asks name servers that look things up for us (a stub resolver, RFC 1034 §5.3.1). It is there because
 * `Deno.resolveDns` and `node:dns` tell no time to live of an SRV record, and do not tell a refusal,
 * or a server's failure, from there being no such record.
 */
export class DnsClient {
  readonly #clock: Clock;
  #free = MAX_QUESTIONS;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Asks the servers in turn. Rejects with {@link NetworkError} when none has an answer, or with the
   * signal's reason.
   */
  async ask(
    question: Question,
    servers: readonly ServerAddress[],
    signal: AbortSignal,
  ): Promise<Answer> {
    let ttl = Infinity;
    for (let hops = 0; hops <= MAX_ALIASES; hops++) {
      if (encodeQuery(0, question) === undefined) return { records: [], ttl: 0 };
      const answer = answerOf(await this.#inTurn(question, servers, signal), question);
      if (answer === undefined) break;
      ttl = Math.min(ttl, answer.ttl);
      if ("records" in answer) return { records: answer.records, ttl };
      hops += answer.hops - 1;
      question = { ...question, name: answer.alias };
    }
    throw new NetworkError("its DNS records lead from alias to alias without end");
  }

  /** Does it when fewer than {@link MAX_QUESTIONS} are under way. */
  async #inTurn(
    question: Question,
    servers: readonly ServerAddress[],
    signal: AbortSignal,
  ): Promise<Reply> {
    while (this.#free === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      signal.addEventListener("abort", () => {
        this.#waiting.delete(resolve);
        resolve();
      });
      await promise;
      // Its turn is the next one's.
      if (signal.aborted) this.#wake();
      signal.throwIfAborted();
    }
    this.#free--;
    try {
      return await this.#askOnce(question, servers, signal);
    } finally {
      this.#free++;
      this.#wake();
    }
  }

  /** The one that has waited longest may see whether it is its turn. */
  #wake(): void {
    for (const wake of this.#waiting) {
      this.#waiting.delete(wake);
      return wake();
    }
  }

  async #askOnce(
    question: Question,
    servers: readonly ServerAddress[],
    signal: AbortSignal,
  ): Promise<Reply> {
    // With it comes `node:dgram`, which nobody needs who looks nothing up.
    const { Exchange } = await import("./exchange.ts");
    signal.throwIfAborted();
    const answered = new AbortController();
    const ended = AbortSignal.any([signal, answered.signal]);
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const exchanges = new Map<ServerAddress, Exchange>();
    /** Those that have not failed yet; the one whose turn it is comes first. */
    const left = [...servers];
    let sent = 0;
    let patience: Appointment | undefined;
    const attempt = async (server: ServerAddress) => {
      try {
        const known = exchanges.get(server);
        if (known !== undefined) return known.send();
        const exchange = new Exchange(server, question, ended);
        exchanges.set(server, exchange);
        exchange.send();
        const reply = await exchange.reply;
        if (!HAS_ANSWERED.includes(reply.rcode)) throw new NetworkError(failure(reply.rcode));
        resolve(reply);
      } catch (error) {
        left.splice(left.indexOf(server), 1);
        if (ended.aborted || !(error instanceof NetworkError) || left.length === 0) {
          return reject(error);
        }
        // It is another one's turn at once.
        patience?.cancel();
        next();
      }
    };
    const next = () => {
      const ms = PATIENCE[sent];
      if (ms === undefined) return reject(new NetworkError(NO_ANSWER));
      sent++;
      const server = left.shift()!;
      left.push(server);
      patience = this.#clock.after(ms, { wake: next });
      void attempt(server);
    };
    next();
    try {
      return await promise;
    } finally {
      patience?.cancel();
      answered.abort();
    }
  }
}

export const NO_ANSWER = "no answer from the name server";

/** NOERROR and NXDOMAIN (RFC 1035 §4.1.1); everything else says that the server could not look. */
const HAS_ANSWERED = [0, 3];

function failure(rcode: number): string {
  const names: Record<number, string> = { 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED" };
  return `the name server has no answer (${names[rcode] ?? `code ${rcode}`})`;
}
