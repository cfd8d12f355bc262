import { Inbox, patiently } from "../patience.ts";
import {
  type ChatMessage,
  type Credentials,
  LoginError,
  type Presence,
  type XmppClient,
} from "./client.ts";

export interface LineProgram {
  readonly path: string;
  /** What comes before `URL JID PASSWORD`. */
  readonly args?: readonly string[];
  /** All of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A client that is a process of its own, `PROGRAM … URL JID PASSWORD`, and speaks by lines; TEXT is
 * text in base64. It is told
 *
 *     send JID TEXT      a chat message
 *     ask                an iq to the server
 *     show TEXT          presence with this status
 *     leave              log out, and end
 *
 * and says
 *
 *     connected JID                                  logged in, and presence sent
 *     message JID ID TEXT                            (ID is "-" where the library does not tell it)
 *     presence JID available|unavailable TEXT        of another resource
 *     answered TYPE                                  what came for "ask"
 *     left                                           logged out
 *     failed CONDITION                               it could not log in, or the session was ended
 *
 * What it says on its standard error is its log, which is shown when something fails.
 */
export async function lineClient(
  { path, args = [], env = {} }: LineProgram,
  url: string,
  { user, password, resource }: Credentials,
): Promise<XmppClient> {
  const process = new Deno.Command(path, {
    args: [...args, url, `${user}@example.test/${resource}`, password],
    env: { ...env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const client = new LineClient(process);
  await client.connected(user);
  return client;
}

/** Lines of a client's log that an error shows. */
const TAIL = 40;

class LineClient implements XmppClient {
  jid = "";
  readonly ended: Promise<string>;
  /** All the lines, both ways. */
  readonly traffic: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #connected = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<string>();
  readonly #left = Promise.withResolvers<void>();
  readonly #messages = new Inbox<ChatMessage & { from: string }>();
  readonly #presences = new Inbox<Presence>();
  readonly #answers = new Inbox<string>();
  #log = "";

  constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.ended = this.#ended.promise;
    this.#connected.promise.catch(() => {});
    this.#left.promise.catch(() => {});
    void this.#readLines();
    void this.#readLog();
  }

  async connected(user: string): Promise<void> {
    try {
      await patiently(this.#connected.promise, `${user} is connected`);
    } catch (error) {
      this.abandon();
      if (error instanceof LoginError) throw error;
      throw this.#explained(error);
    }
  }

  send(to: string, { body }: ChatMessage): void {
    this.#tell(`send ${to} ${encode(body)}`);
  }

  receive(): Promise<ChatMessage & { readonly from: string }> {
    return this.#take(this.#messages);
  }

  ask(): Promise<string> {
    this.#tell("ask");
    return this.#take(this.#answers);
  }

  show(status: string): void {
    this.#tell(`show ${encode(status)}`);
  }

  presence(): Promise<Presence> {
    return this.#take(this.#presences);
  }

  async logOut(): Promise<void> {
    this.#tell("leave");
    try {
      await patiently(this.#left.promise, `${this.jid} has left`);
      const { code } = await patiently(this.#process.status, "the program has ended");
      if (code !== 0) throw new Error(`the program ended with ${code}`);
    } catch (error) {
      this.abandon();
      throw this.#explained(error);
    }
  }

  abandon(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has.
    }
  }

  #tell(line: string): void {
    this.traffic.push(line);
    this.#writer.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
  }

  async #take<T>(inbox: Inbox<T>): Promise<T> {
    try {
      return await inbox.take();
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #explained(error: unknown): Error {
    const log = this.#log.split("\n").slice(-TAIL).join("\n");
    return new Error(`${(error as Error).message}; its log: ${log}`, { cause: error });
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#heard(line);
    }
    const { code } = await this.#process.status;
    const gone = new Error(`the program ended with ${code}`);
    this.#connected.reject(gone);
    this.#left.reject(gone);
    this.#ended.resolve("");
  }

  #heard(line: string): void {
    this.traffic.push(line);
    const [word, ...rest] = line.split(" ");
    switch (word) {
      case "connected":
        this.jid = rest[0]!;
        return this.#connected.resolve();
      case "message":
        return this.#messages.put({ from: rest[0]!, id: rest[1]!, body: decode(rest[2]!) });
      case "presence": {
        const available = rest[1] === "available";
        return this.#presences.put({ from: rest[0]!, available, status: decode(rest[2]!) });
      }
      case "answered":
        return this.#answers.put(rest[0]!);
      case "left":
        return this.#left.resolve();
      case "failed": {
        const condition = rest.join(" ");
        this.#connected.reject(new LoginError(condition));
        this.#left.reject(new Error(condition));
        return this.#ended.resolve(condition);
      }
    }
    throw new Error(`a client said ${line}`);
  }

  async #readLog(): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log += text;
    }
  }
}

function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

function decode(text: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(text));
}
