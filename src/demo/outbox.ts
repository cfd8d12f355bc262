/** Characters that may wait for a client that reads too slowly. */
const MAX_WAITING = 1_048_576;
/** Milliseconds that the last words have to get out. */
const LINGER = 1_000;

const encoder = new TextEncoder();

/** What goes out on one connection, in order, with one write under way at a time. */
export class Outbox {
  readonly #conn: Deno.Conn;
  #waiting = "";
  #writing: Promise<void> | undefined;
  #finished: Promise<void> | undefined;
  #closed = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Sends the text after everything before it; a client that reads too slowly loses its connection. */
  write(text: string): void {
    if (this.#finished !== undefined || this.#closed) return;
    this.#waiting += text;
    if (this.#waiting.length > MAX_WAITING) this.#close();
    else this.#writing ??= this.#drain();
  }

  /** Closes the connection once what was written before has gone out. */
  finish(): Promise<void> {
    return this.#finished ??= this.#lastWords();
  }

  async #lastWords(): Promise<void> {
    const impatience = setTimeout(() => this.#close(), LINGER);
    await this.#writing;
    clearTimeout(impatience);
    this.#close();
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting !== "" && !this.#closed) {
        const bytes = encoder.encode(this.#waiting);
        this.#waiting = "";
        for (let sent = 0; sent < bytes.length;) {
          sent += await this.#conn.write(bytes.subarray(sent));
        }
      }
    } catch {
      // The client has gone; closing wakes the reading side, which cleans up.
      this.#close();
    }
    this.#writing = undefined;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}
