import type { LogConfig } from "../config/config.ts";
import { Log } from "../log.ts";

/** A log on standard error, in the journal's manner where that is systemd's journal. */
export function standardErrorLog(config: Pick<LogConfig, "level" | "format">): Log {
  const lines = new LineQueue(
    (bytes) => Deno.stderr.write(bytes),
    (count) => log.error("standard error did not take all; lines are lost", { lines: count }),
  );
  const log = new Log({
    ...config,
    write: (line) => lines.write(line),
    flush: () => lines.flush((bytes) => Deno.stderr.writeSync(bytes)),
    now: Date.now,
    journal: () => isJournal(Deno.env.get("JOURNAL_STREAM")),
  });
  return log;
}

/** What may wait for a reader that does not read (UTF-16 code units, nearly all of them bytes). */
const MOST_WAITING = 1_048_576;

/** Milliseconds until a pipe that is full and does not block is tried again. */
const NEXT_TRY = 20;

const LINE_END = 0x0a;

/**
 * Writes lines in their order, beside the event loop: a reader that stops reading (a journal that hangs, a
 * terminal on which somebody pressed Ctrl+S) must not stop the service, and no write says beforehand whether it
 * will wait. Lines of one turn leave in one write. What cannot be written, or would wait behind too
 * much, is lost; how many lines that were is told as soon as one can be written again.
 */
export class LineQueue {
  readonly #sink: (bytes: Uint8Array) => Promise<number>;
  readonly #tellLoss: (lines: number) => void;
  #waiting = "";
  /** Of what waits and what is being written. */
  #length = 0;
  /** It is, or will be in a moment. */
  #isWriting = false;
  #isUnderWay = false;
  #lost = 0;
  /** Lines whose loss is told by a line that waits. */
  #told = 0;
  /** What was written last ends in the middle of a line. */
  #isCut = false;

  /**
   * @param sink writes some of the bytes, and says how many
   * @param tellLoss writes a line to this queue that says how many are lost
   */
  constructor(
    sink: (bytes: Uint8Array) => Promise<number>,
    tellLoss: (lines: number) => void,
  ) {
    this.#sink = sink;
    this.#tellLoss = tellLoss;
  }

  /** Takes one line, with its end. */
  write(line: string): void {
    if (this.#length + line.length > MOST_WAITING) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) this.#confess();
    this.#waiting += line;
    this.#length += line.length;
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => this.#drain());
  }

  /**
   * Writes at once what waits, for the process ends; what this sink does not take is lost. So is what waits
   * behind a write that is under way: it would be waited for, perhaps for ever.
   */
  flush(sink: (bytes: Uint8Array) => number): void {
    if (this.#isUnderWay) return;
    let rest = new TextEncoder().encode(this.#waiting);
    this.#waiting = "";
    try {
      while (rest.length > 0) rest = rest.subarray(sink(rest));
    } catch {
      // There is nobody left to tell.
    }
  }

  #confess(): void {
    const lost = this.#lost;
    this.#lost = 0;
    this.#told += lost;
    this.#tellLoss(lost);
  }

  async #drain(): Promise<void> {
    while (this.#waiting !== "") {
      const text = this.#waiting;
      const told = this.#told;
      this.#waiting = "";
      this.#told = 0;
      this.#isUnderWay = true;
      const unwritten = await this.#writeAll(new TextEncoder().encode(text));
      this.#isUnderWay = false;
      this.#length -= text.length;
      if (unwritten > 0) {
        // The line that told of others is none of the service's own.
        this.#lost += told > 0 ? unwritten - 1 + told : unwritten;
        // With the next line it is tried again.
        break;
      }
      if (this.#lost > 0 && this.#waiting === "") this.#confess();
    }
    this.#isWriting = this.#waiting !== "";
    if (this.#isWriting) queueMicrotask(() => this.#drain());
  }

  /** Returns how many lines could not be written, one that was cut among them. */
  async #writeAll(text: Uint8Array): Promise<number> {
    let rest = text;
    try {
      if (this.#isCut) await this.#writeSome(LINE_END_ALONE);
      this.#isCut = false;
      while (rest.length > 0) rest = rest.subarray(await this.#writeSome(rest));
      return 0;
    } catch {
      const written = text.length - rest.length;
      if (written > 0) this.#isCut = text[written - 1] !== LINE_END;
      return rest.reduce((lines, byte) => byte === LINE_END ? lines + 1 : lines, 0);
    }
  }

  async #writeSome(bytes: Uint8Array): Promise<number> {
    for (;;) {
      try {
        return await this.#sink(bytes);
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, NEXT_TRY));
    }
  }
}

const LINE_END_ALONE = Uint8Array.of(LINE_END);

/**
 * Whether standard error is the very stream to the journal that systemd has made: its device and inode are in
 * `JOURNAL_STREAM` (systemd.exec(5)), which also children inherit whose standard error is another.
 */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    // `Deno.stderr` has no stat, and /proc/self is for programs that may do everything. It takes 3 MiB, which
    // a program without a line to write does not have to spend.
    const { fstatSync } = globalThis.process.getBuiltinModule("node:fs");
    const { dev, ino } = fstatSync(2, { bigint: true });
    return `${dev}:${ino}` === stream;
  } catch {
    return false;
  }
}
