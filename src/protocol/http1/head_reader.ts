import { CLASS, CLASSES, latin1, OCTET } from "./chars.ts";
import { FieldLines, STEP } from "./field_lines.ts";
import { Fields } from "./fields.ts";
import { readFraming } from "./framing.ts";
import type { Input } from "./input.ts";
import type { HttpLimits } from "./limits.ts";
import { type Refusal, REFUSALS } from "./refusals.ts";
import { Request } from "./request.ts";
import { readTarget } from "./target.ts";

/**
 * Reads the heads of requests, octet by octet: what cannot become one is refused at the first octet
 * that shows it, however much of it is there, so a stray TLS handshake ends at once.
 *
 * What it says depends on the octets alone, never on how they were cut.
 */
export class HeadReader {
  /** Why the head is refused, once it is. */
  refusal: Refusal | undefined;
  /** That of the request being read, as soon as it is known; before, `""`. */
  method = "";
  readonly limits: HttpLimits;
  readonly #fields: FieldLines;
  #state: number = BEFORE;
  /** Counted from `Input.start`, as all offsets here. */
  #targetStart = 0;
  #targetEnd = 0;
  #minorVersion: 0 | 1 = 1;

  constructor(limits: HttpLimits) {
    this.limits = limits;
    this.#fields = new FieldLines(limits.fields);
  }

  /** No octet of the next head is there, but perhaps an empty line before it. */
  get idle(): boolean {
    return this.#state <= METHOD_START;
  }

  /** As if new: it can read the next head of any connection. */
  get isFree(): boolean {
    return this.#state === BEFORE && this.refusal === undefined;
  }

  /** The next head; `undefined` when the bytes end before it does, or when it is refused. */
  read(input: Input): Request | undefined {
    if (this.#state !== FIELDS && !this.#readLine(input)) return undefined;
    const end = Math.min(input.end, input.start + this.limits.headBytes);
    switch (this.#fields.read(input, end)) {
      case STEP.NEEDS_BYTES:
        this.#checkLimit(input, REFUSALS.LONG_HEAD);
        return undefined;
      case STEP.REFUSED:
        this.refusal = this.#fields.refusal;
        return undefined;
      case STEP.DONE:
        return this.#finish(input);
    }
  }

  #finish(input: Input): Request | undefined {
    const bytes = input.bytes.subarray(input.start, input.pos);
    input.advance(input.pos);
    const offsets = this.#fields.take();
    const method = this.method;
    const minorVersion = this.#minorVersion;
    const target = readTarget(method, bytes, this.#targetStart, this.#targetEnd);
    if ("status" in target) return this.#refuse(target);
    const framing = readFraming(minorVersion, bytes, offsets);
    if ("status" in framing) return this.#refuse(framing);
    this.#state = BEFORE;
    this.method = "";
    const fields = new Fields(bytes, offsets);
    return new Request(method, minorVersion, { target, framing, fields });
  }

  /** The request line; `undefined` when it is not complete, or is refused. */
  #readLine(input: Input): true | undefined {
    const { bytes } = input;
    let pos = input.pos;
    let state = this.#state;
    if (state === BEFORE) {
      if (pos === input.end) return this.#wait(input, BEFORE, pos);
      if (bytes[pos] === CR) {
        input.advance(++pos);
        state = BEFORE_LF;
      } else {
        state = METHOD_START;
      }
    }
    if (state === BEFORE_LF) {
      if (pos === input.end) return this.#wait(input, BEFORE_LF, pos);
      if (bytes[pos] !== LF) return this.#refuse(REFUSALS.BARE_CR);
      // RFC 9112 §2.2: "a server that is expecting to receive and parse a request-line SHOULD
      // ignore at least one empty line (CRLF) received prior to the request-line." One it is.
      input.advance(++pos);
      state = METHOD_START;
    }
    if (state === METHOD_START) {
      if (pos === input.end) return this.#wait(input, METHOD_START, pos);
      state = METHOD;
    }
    const { start } = input;
    const end = Math.min(input.end, start + this.limits.headBytes);
    if (state === METHOD) {
      const stop = Math.min(end, start + METHOD_BYTES + 1);
      while (pos < stop && (classes[bytes[pos]!]! & CLASS.TOKEN) !== 0) pos++;
      if (pos - start > METHOD_BYTES) return this.#refuse(REFUSALS.LONG_METHOD);
      if (pos === end) return this.#wait(input, METHOD, pos);
      if (bytes[pos] !== SP || pos === start) {
        return this.#refuse(REFUSALS.METHOD);
      }
      this.method = methodOf(bytes, start, pos);
      pos++;
      this.#targetStart = pos - start;
      state = TARGET;
    }
    if (state === TARGET) {
      const targetStart = start + this.#targetStart;
      const { targetBytes } = this.limits;
      const stop = Math.min(end, targetStart + targetBytes + 1);
      while (pos < stop && (classes[bytes[pos]!]! & CLASS.TARGET) !== 0) pos++;
      if (pos - targetStart > targetBytes) return this.#refuse(REFUSALS.LONG_TARGET);
      if (pos === end) return this.#wait(input, TARGET, pos);
      if (bytes[pos] !== SP || pos === targetStart) {
        return this.#refuse(REFUSALS.TARGET);
      }
      this.#targetEnd = pos - start;
      pos++;
      state = VERSION;
    }
    if (state === VERSION) {
      const versionStart = start + this.#targetEnd + 1;
      const stop = Math.min(end, versionStart + VERSION_FORM.length);
      for (; pos < stop; pos++) {
        const form = VERSION_FORM.charCodeAt(pos - versionStart);
        const octet = bytes[pos]!;
        const fits = form === DIGIT_HERE ? (classes[octet]! & CLASS.DIGIT) !== 0 : octet === form;
        if (!fits) return this.#refuse(REFUSALS.REQUEST_LINE);
      }
      if (pos < versionStart + VERSION_FORM.length) return this.#wait(input, VERSION, pos);
      const major = bytes[pos - 4]!;
      const minor = bytes[pos - 2]!;
      if (major !== ONE || minor > ONE) return this.#refuse(REFUSALS.VERSION);
      this.#minorVersion = minor === ONE ? 1 : 0;
      state = LINE_LF;
    }
    // LINE_LF
    if (pos === end) return this.#wait(input, LINE_LF, pos);
    if (bytes[pos] !== LF) return this.#refuse(REFUSALS.BARE_CR);
    input.pos = pos + 1;
    this.#state = FIELDS;
    return true;
  }

  #wait(input: Input, state: number, pos: number): undefined {
    this.#state = state;
    input.pos = pos;
    this.#checkLimit(input, REFUSALS.LONG_TARGET);
    return undefined;
  }

  #checkLimit(input: Input, refusal: Refusal): void {
    if (input.pos - input.start >= this.limits.headBytes) this.refusal = refusal;
  }

  #refuse(refusal: Refusal): undefined {
    this.refusal = refusal;
    return undefined;
  }
}

/** The method's name; for those that come, without making it anew. */
function methodOf(bytes: Uint8Array, start: number, end: number): string {
  for (const name of METHODS) {
    if (name.length !== end - start) continue;
    let at = 0;
    while (at < name.length && bytes[start + at] === name.charCodeAt(at)) at++;
    if (at === name.length) return name;
  }
  return latin1(bytes, start, end);
}

const METHODS = ["POST", "GET", "OPTIONS", "HEAD"];
/** None of those registered is half as long. */
const METHOD_BYTES = 40;
/** What stands behind the target, `0` for any digit. */
const VERSION_FORM = "HTTP/0.0\r";
const DIGIT_HERE = 0x30;
const ONE = 0x31;

const { CR, LF, SP } = OCTET;
const classes = CLASSES;

/** An empty line may come before the request line. */
const BEFORE = 0;
const BEFORE_LF = 1;
const METHOD_START = 2;
const METHOD = 3;
const TARGET = 4;
/** `HTTP/1.1` and the CR behind it. */
const VERSION = 5;
const LINE_LF = 6;
const FIELDS = 7;
