import { BoshClient, type BoshRequest, type BoshResponse } from "../bosh_client.ts";
import type { XmlElement } from "../xml_element.ts";

/** What a client of ours does as some other client does it. */
export interface Manner {
  /** Attributes of the creation request, besides `rid` and `to`. */
  readonly creation: string;
  /** Of a restart. */
  readonly restart: string;
  /** Further attributes of the request with this rid; asked once for each, in order. */
  attributes(rid: number): string;
  /** The answer to this rid has been read. */
  answered?(rid: number, answer: BoshResponse): void;
  /** Milliseconds without an open request after which it sends an empty one. */
  readonly idle: number;
  /** Whether an answer that was lost is asked for at once, or when the connection manager reports it. */
  readonly repeats: "at once" | "when told";
}

/** A request as it went. */
interface Sent {
  readonly rid: number;
  readonly attributes: string;
  readonly content: string;
}

interface Waiting {
  readonly attributes: string;
  content: string;
  readonly answered: ((answer: BoshResponse) => void) | undefined;
}

/** A repeated request, what its first answer was, and what it got then. */
export interface Repeated extends Sent {
  readonly lost: string;
  readonly found: string;
}

/** One BOSH session, kept open; answers are read in the order of their rids. */
export class ScriptedLine {
  /** Requests and answers, whole. */
  readonly traffic: string[] = [];
  readonly sent: Sent[] = [];
  readonly repeated: Repeated[] = [];
  /** The condition with which the session ended; empty if there was none. */
  readonly ended: Promise<string>;
  /** Hears every payload, and of which stream it is. */
  onPayload: (payload: XmlElement, stream: string | undefined) => void = () => {};
  /** Hears that a stream has ended, or the session. */
  onEnd: (stream: string | undefined, condition: string) => void = () => {};
  readonly #client: BoshClient;
  readonly #manner: Manner;
  readonly #queue: Waiting[] = [];
  readonly #lost = new Map<number, { readonly sent: Sent; readonly text: string }>();
  readonly #ended = Promise.withResolvers<string>();
  #order: Promise<void> = Promise.resolve();
  #open = 0;
  #requests = 1;
  #isOver = false;
  #loses = false;
  #idle: ReturnType<typeof setTimeout> | undefined;

  /** `url`: of the connection manager. */
  constructor(url: string, manner: Manner) {
    this.#client = new BoshClient(`${url}/http-bind`);
    this.#manner = manner;
    this.ended = this.#ended.promise;
  }

  /** Creates the session and returns the answer. */
  async open(): Promise<BoshResponse> {
    const { creation, attributes } = this.#manner;
    const rid = this.#client.rid + 1;
    const all = `to='example.test' ${creation} ${attributes.call(this.#manner, rid)}`;
    this.#sending({ rid, attributes: all, content: "" });
    const answer = await this.#client.create(all);
    this.#requests = Number(answer.get("requests"));
    this.#read(rid, answer);
    return answer;
  }

  /** Says something, together with what waits already; or by itself, if there are attributes. */
  say(content: string, attributes = ""): void {
    const last = this.#queue.at(-1);
    if (last?.attributes === attributes && last.answered === undefined) last.content += content;
    else this.#queue.push({ attributes, content, answered: undefined });
    this.#pump();
  }

  /** The answer to a request of its own. */
  ask(attributes: string, content = ""): Promise<BoshResponse> {
    return new Promise((answered) => {
      this.#queue.push({ attributes, content, answered });
      this.#pump();
    });
  }

  /** Restarts a stream: the answer has the features. */
  restart(attributes = ""): Promise<BoshResponse> {
    return this.ask(`${this.#manner.restart} ${attributes}`.trim());
  }

  /** The next answer with payloads comes to nothing on its way. */
  loseNext(): void {
    this.#loses = true;
  }

  /** Goes away without a word. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#idle);
    this.#client.close();
  }

  #pump(): void {
    if (this.#isOver) return;
    // XEP-0124 §11: one more is allowed when it pauses or ends the session.
    const mayExceed = / (?:type|pause)=/.test(` ${this.#queue[0]?.attributes ?? ""}`);
    while (this.#queue.length > 0 && this.#open < this.#requests + (mayExceed ? 1 : 0)) {
      const { attributes, content, answered } = this.#queue.shift()!;
      this.#dispatch(attributes, content, answered);
    }
    clearTimeout(this.#idle);
    if (this.#open > 0) return;
    this.#idle = setTimeout(() => this.#dispatch("", "", undefined), this.#manner.idle);
  }

  #dispatch(attributes: string, content: string, answered: Waiting["answered"]): void {
    const rid = this.#client.rid + 1;
    const all = `${attributes} ${this.#manner.attributes(rid)}`.trim();
    const sent = { rid, attributes: all, content };
    this.#sending(sent);
    this.#open++;
    const request = this.#client.send(all, content);
    this.#order = this.#order.then(() => this.#settle(sent, request, answered));
  }

  #sending(sent: Sent): void {
    this.sent.push(sent);
    this.traffic.push(`<body rid='${sent.rid}' ${sent.attributes}>${sent.content}</body>`);
  }

  async #settle(
    sent: Sent,
    request: BoshRequest,
    answered: Waiting["answered"],
  ): Promise<void> {
    try {
      let answer = await request.answer;
      if (this.#loses && answer.payloads.length > 0) {
        this.#loses = false;
        if (this.#manner.repeats === "when told") {
          this.#lost.set(sent.rid, { sent, text: answer.text });
          return;
        }
        answer = await this.#repeat(sent, answer.text);
      }
      this.#read(sent.rid, answer);
      answered?.(answer);
      const lost = this.#lost.get(Number(answer.get("report")));
      if (lost === undefined) return;
      this.#lost.delete(lost.sent.rid);
      this.#read(lost.sent.rid, await this.#repeat(lost.sent, lost.text));
    } catch (error) {
      this.#end(undefined, String(error));
    } finally {
      this.#open--;
      this.#pump();
    }
  }

  async #repeat(sent: Sent, lost: string): Promise<BoshResponse> {
    const { rid, attributes, content } = sent;
    this.traffic.push(`<body rid='${rid}' ${attributes}>${content}</body> again`);
    const answer = await this.#client.ask(attributes, content, { rid });
    this.repeated.push({ ...sent, lost, found: answer.text });
    return answer;
  }

  #read(rid: number, answer: BoshResponse): void {
    this.traffic.push(answer.text);
    this.#manner.answered?.(rid, answer);
    const stream = answer.get("stream");
    for (const payload of answer.payloads) this.onPayload(payload, stream);
    if (answer.type === "terminate") this.#end(stream, answer.condition ?? "");
  }

  #end(stream: string | undefined, condition: string): void {
    if (this.#isOver) return;
    this.onEnd(stream, condition);
    if (stream !== undefined) return;
    this.#ended.resolve(condition);
    this.close();
  }
}
