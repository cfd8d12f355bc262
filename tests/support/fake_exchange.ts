import type {
  Answer,
  Exchange,
  MessageEvents,
  MessageSocket,
  Peer,
  UpgradeOptions,
} from "../../src/server/exchange.ts";

/** A request without a front, for what looks at its head only. Header names are in lower case. */
export class FakeExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly peer: Peer;
  readonly secure: boolean;
  readonly bodyLength = 0;
  /** How often a header was asked for. */
  lookUps = 0;
  /** What it was answered. */
  readonly answers: Answer[] = [];
  readonly #headers: Readonly<Record<string, string>>;

  constructor(
    {
      method = "GET",
      path = "/",
      query = "",
      from = "127.0.0.1",
      port = 40_000,
      secure = false,
      headers = {},
    }: {
      readonly method?: string;
      readonly path?: string;
      readonly query?: string;
      readonly from?: string;
      readonly port?: number;
      readonly secure?: boolean;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ) {
    this.method = method;
    this.path = path;
    this.query = query;
    this.peer = { address: from, port };
    this.secure = secure;
    this.#headers = headers;
  }

  header(name: string): string | undefined {
    this.lookUps++;
    return Object.hasOwn(this.#headers, name) ? this.#headers[name] : undefined;
  }

  readBody(_max: number, take: (bytes: Uint8Array) => void): void {
    take(new Uint8Array(0));
  }

  respond(answer: Answer): void {
    this.answers.push(answer);
  }

  onLost(): void {}

  upgrade(
    _options: UpgradeOptions,
    _events: MessageEvents,
  ): { answer: Answer; socket: MessageSocket } | undefined {
    return undefined;
  }
}
