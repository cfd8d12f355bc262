import type { Page } from "playwright-core";
import { Inbox, patiently } from "../patience.ts";
import {
  type ChatMessage,
  type Credentials,
  LoginError,
  type Presence,
  type XmppClient,
} from "./client.ts";
import type { PageBrowser, Visitor } from "./page_browser.ts";

export interface ClientPage {
  /** Of the site. */
  readonly path: string;
  /** What its script needs to log in, besides a JID and a password. */
  readonly settings: unknown;
  /** See `PageOptions`. */
  readonly exampleTest?: number;
  /** Hosts that it asks for and need not reach. */
  readonly asksFor?: readonly string[];
}

/**
 * A client that is a page with a script: `client.logIn(settings, jid, password)`,
 * `client.send(to, id, body)`, `client.ask()`, `client.show(status)`, `client.leave()`. The script says by
 * `tell(word, ...)` what the words of {@link Words} are for.
 */
export async function pageClient(
  browser: PageBrowser,
  { path, settings, exampleTest, asksFor = [] }: ClientPage,
  { user, password, resource }: Credentials,
): Promise<XmppClient> {
  const client = new PageClient(asksFor);
  const visitor = await browser.visitor({ exampleTest, onTold: client.told });
  try {
    const page = await visitor.open(path);
    await client.logIn(visitor, page, [settings, `${user}@example.test/${resource}`, password]);
  } catch (error) {
    await visitor[Symbol.asyncDispose]();
    throw error;
  }
  return client;
}

interface Words {
  /** It has logged in and sent its presence. */
  connected(jid: string): void;
  /** It could not log in. */
  failed(condition: string): void;
  /** The session was ended by somebody else. */
  ended(condition: string): void;
  /** It has logged out. */
  left(): void;
  message(from: string, id: string, body: string): void;
  presence(from: string, available: boolean, status: string): void;
  answered(type: string): void;
  /** What went over the wire, as the library shows it. */
  traffic(text: string): void;
}

class PageClient implements XmppClient {
  jid = "";
  readonly traffic: string[] = [];
  readonly ended: Promise<string>;
  readonly #connected = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<string>();
  readonly #left = Promise.withResolvers<void>();
  readonly #messages = new Inbox<ChatMessage & { from: string }>();
  readonly #presences = new Inbox<Presence>();
  readonly #answers = new Inbox<string>();
  readonly #asksFor: readonly string[];
  #visitor: Visitor | undefined;
  #page: Page | undefined;
  #abandoned = false;

  readonly #words: Words = {
    connected: (jid) => {
      this.jid = jid;
      this.#connected.resolve();
    },
    failed: (condition) => this.#connected.reject(new LoginError(condition)),
    ended: (condition) => this.#ended.resolve(condition),
    left: () => this.#left.resolve(),
    message: (from, id, body) => this.#messages.put({ from, id, body }),
    presence: (from, available, status) => this.#presences.put({ from, available, status }),
    answered: (type) => this.#answers.put(type),
    traffic: (text) => void this.traffic.push(text),
  };

  constructor(asksFor: readonly string[]) {
    this.#asksFor = asksFor;
    this.ended = this.#ended.promise;
    this.#connected.promise.catch(() => {});
  }

  readonly told = (word: string, ...rest: never[]): void => {
    (this.#words[word as keyof Words] as (...rest: never[]) => void)(...rest);
  };

  async logIn(visitor: Visitor, page: Page, args: readonly unknown[]): Promise<void> {
    this.#visitor = visitor;
    this.#page = page;
    this.#tell("logIn", ...args);
    await this.#explained(patiently(this.#connected.promise, "the page is connected"));
  }

  send(to: string, { id, body }: ChatMessage): void {
    this.#tell("send", to, id, body);
  }

  receive(): Promise<ChatMessage & { readonly from: string }> {
    return this.#explained(this.#messages.take());
  }

  ask(): Promise<string> {
    this.#tell("ask");
    return this.#explained(this.#answers.take());
  }

  show(status: string): void {
    this.#tell("show", status);
  }

  presence(): Promise<Presence> {
    return this.#explained(this.#presences.take());
  }

  async logOut(): Promise<void> {
    this.#tell("leave");
    try {
      await this.#explained(patiently(this.#left.promise, `${this.jid} has left`));
      const { mistakes, elsewhere } = this.#visitor!;
      const asked = elsewhere.filter((host) => !this.#asksFor.includes(host));
      if (mistakes.length > 0) throw new Error(`the page failed: ${mistakes.join("; ")}`);
      if (asked.length > 0) throw new Error(`the page asked for ${asked.join(", ")}`);
    } finally {
      await this.#close();
    }
  }

  abandon(): void {
    this.#close().catch(() => {});
  }

  #tell(call: string, ...args: readonly unknown[]): void {
    const run = ([name, rest]: readonly [string, readonly unknown[]]) =>
      // deno-lint-ignore no-explicit-any
      (globalThis as any).client[name](...rest);
    this.#page!.evaluate(run, [call, args] as const).catch((error) => {
      if (!this.#abandoned) this.#visitor!.mistakes.push(error.message);
    });
  }

  async #close(): Promise<void> {
    this.#abandoned = true;
    await this.#visitor?.[Symbol.asyncDispose]();
  }

  /** With what the page has to say of it. */
  async #explained<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      const { mistakes, elsewhere } = this.#visitor!;
      if (error instanceof LoginError || mistakes.length + elsewhere.length === 0) throw error;
      const said = [...mistakes, ...elsewhere.map((host) => `asked for ${host}`)].join("; ");
      throw new Error(`${(error as Error).message}; the page: ${said}`, { cause: error });
    }
  }
}
