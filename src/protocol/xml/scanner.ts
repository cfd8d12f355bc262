import {
  ASCII,
  CLASS,
  CLASSES,
  decodeChar,
  INCOMPLETE,
  isNameChar,
  isNameStart,
  skipBeyondAscii,
  utf8Length,
} from "./chars.ts";
import { MARK_START, scanMark } from "./byte_order_mark.ts";
import { freeBench, keepBench, rootName } from "./bench.ts";
import { scanCdata, scanCdataOpen } from "./cdata.ts";
import { BEYOND, type XmlError, type XmlErrorKind } from "./errors.ts";
import type { Input } from "./input.ts";
import type { XmlLimits } from "./limits.ts";
import { SHORT_TEXT, skipLongText } from "./long_text.ts";
import { Scopes } from "./namespaces.ts";
import type { Declaration } from "./payload.ts";
import { NONE } from "./start_tag.ts";
import { FORBIDDEN, Refusal, STEP, type Step } from "./step.ts";
import { refuseInstruction, scanXmlDeclaration } from "./xml_declaration.ts";

/**
 * The state machine over bytes: finds the tags that matter to a document's outline and checks
 * everything between them.
 *
 * Each state goes on at `Input.pos` where the bytes ended last time, so the work is
 * linear in the bytes however they are cut. A state looks at bytes alone, never at
 * where a chunk ends, so what is found does not depend on the cuts either.
 *
 * The functions hold to one order: a state whose work is done falls into the next below it.
 */
export class Scanner {
  /** What the item being read notes. */
  bench = freeBench();
  readonly scopes: Scopes;
  /** Elements open now. */
  depth = 0;
  /** The last start tag was that of an empty element. */
  empty = false;
  /** A new document may begin where a payload could, with an XML declaration for one. */
  restartExpected = false;

  readonly #limits: XmlLimits;
  readonly #input: Input;
  readonly #refusal = new Refusal();
  #state = START;
  /** The root's qualified name as it was written. */
  #rootTag: Uint8Array = new Uint8Array(0);
  /** An XML declaration is allowed: at most a byte order mark came before. */
  #atStart = true;
  /** Where the markup that is being read has its `<`, counted from the item's start. */
  #markup = 0;
  /** The quote that ends the attribute value being read. */
  #quote = 0;
  /** Where that value starts, counted from the item's start. */
  #valueStart = 0;
  /** The state that a reference interrupts. */
  #resume = CONTENT;

  constructor(limits: XmlLimits, input: Input, assumed: readonly Declaration[]) {
    this.#limits = limits;
    this.scopes = new Scopes(assumed);
    this.#input = input;
  }

  /** Goes on to the next thing to tell, or to the end of the bytes. */
  scan(): Step {
    if (this.#input.item < 0) this.bench = freeBench();
    for (;;) {
      const step = this.#step();
      if (step === AGAIN) continue;
      if (step !== NEEDS_BYTES) return step;
      if (this.#input.full) {
        return this.#fail("limit", this.#input.end, BEYOND.payloadBytes);
      }
      if (!this.#input.more()) break;
    }
    if (this.#input.item >= 0) keepBench(this.bench);
    return NEEDS_BYTES;
  }

  /** Checks the start tag that was read, and opens its element; `false` when it is refused. */
  enter(): boolean {
    const { bytes, item } = this.#input;
    const tag = this.bench.tag;
    if (this.depth++ >= this.#limits.depth) {
      this.#fail("limit", item + tag.start, BEYOND.depth);
      return false;
    }
    const fault = tag.resolve(this.scopes, this.depth, bytes, item);
    if (fault !== undefined) {
      this.#fail("not-well-formed", item + tag.faultAt, fault);
      return false;
    }
    if (this.depth === 1) {
      this.#rootTag = rootName(bytes, item + tag.elementStart, item + tag.elementEnd);
      this.#state = BETWEEN;
    } else {
      this.bench.noteName(this.depth);
      this.#state = CONTENT;
    }
    return true;
  }

  /** Closes the innermost element. */
  leave(): void {
    if (this.scopes.innermost === this.depth) this.scopes.leave(this.depth);
    if (--this.depth < 2) this.#state = this.depth === 1 ? BETWEEN : EPILOG;
  }

  /** As if new. */
  reset(): void {
    this.forget();
    this.#refusal.reset();
    this.#state = START;
    this.#atStart = true;
  }

  /** Forgets the open document: another one begins. */
  forget(): void {
    this.depth = 0;
    this.scopes.clear();
    this.restartExpected = false;
  }

  /** Why the document is refused, once it is. */
  get error(): XmlError | undefined {
    return this.#refusal.error;
  }

  #step(): Step {
    if (this.#refusal.waits) return this.#refusal.resume(this.#input);
    const state = this.#state;
    if (state <= END_SPACE) return this.#scanContent();
    if (state <= EMPTY_TAG) return this.#scanStartTag();
    if (state >= START) return this.#scanOutside();
    if (state === INSTRUCTION) return this.#scanInstruction();
    if (state !== REFERENCE) return this.#scanSection();
    const step = this.bench.reference.scan(this.#input, this.#refusal);
    if (step === AGAIN) this.#state = this.#resume;
    return step;
  }

  /** Text, and what `<` begins: `CONTENT`, `MARKUP`, `END_NAME`, `END_SPACE`. */
  #scanContent(): Step {
    const input = this.#input;
    const { bytes, end, item } = input;
    let pos = input.pos;
    let state = this.#state;
    for (;;) {
      if (state === CONTENT) {
        const near = Math.min(end, pos + SHORT_TEXT);
        while (pos < near && (classes[bytes[pos]!]! & STOPS_TEXT) === 0) pos++;
        if (pos === near) pos = skipLongText(bytes, pos, end);
        if (pos === end) return this.#wait(CONTENT, pos);
        const byte = bytes[pos]!;
        if (byte === LT) {
          this.#markup = pos - item;
          pos++;
          state = MARKUP;
        } else if (byte === AMP) {
          return this.#beginReference(pos, CONTENT);
        } else if (byte === GT) {
          // XML 1.0 §2.4: "]]>" MUST NOT stand in content. No markup ends in "]", so these are text.
          if (bytes[pos - 1] === BRACKET && bytes[pos - 2] === BRACKET) {
            return this.#refuse(pos - 2, "]]> must not stand in text");
          }
          pos++;
          continue;
        } else {
          const next = skipBeyondAscii(bytes, pos, end);
          if (next === pos) return this.#stopAt(pos, CONTENT);
          pos = next;
          continue;
        }
      }
      if (state === MARKUP) {
        if (pos === end) return this.#wait(MARKUP, pos);
        const byte = bytes[pos]!;
        if (byte === SLASH) {
          pos++;
          state = END_NAME;
        } else if (byte === BANG) {
          return this.#go(SECTION, pos + 1);
        } else if (byte === QUESTION) {
          return this.#go(INSTRUCTION, pos + 1);
        } else {
          this.bench.tag.begin(this.#markup);
          input.pos = pos;
          this.#state = NAME_START;
          const step = this.#scanStartTag();
          if (step !== AGAIN || this.#state !== CONTENT) return step;
          pos = input.pos;
          state = CONTENT;
          continue;
        }
      }
      if (state === END_NAME) {
        const depth = this.depth;
        if (depth === 0) {
          return this.#fail("not-well-formed", pos - 2, "an end tag stands where none is open");
        }
        const root = depth === 1;
        const names = root ? this.#rootTag : bytes;
        const length = root ? names.length : this.bench.names[2 * depth + 1]!;
        const start = item + this.#markup + 2;
        const shift = (root ? 0 : item + this.bench.names[2 * depth]!) - start;
        const stop = start + length;
        while (pos < stop) {
          if (pos === end) return this.#wait(END_NAME, pos);
          if (bytes[pos] !== names[pos + shift]) {
            // The character that differs begins where the last whole one ended.
            while (pos > start && (names[pos + shift]! & 0xc0) === 0x80) pos--;
            return this.#refuse(pos, "an end tag does not match its start tag");
          }
          pos++;
        }
        if (pos === end) return this.#wait(END_NAME, pos);
        const byte = bytes[pos]!;
        if (byte !== GT && (classes[byte]! & SPACE) === 0) {
          return this.#refuse(pos, "an end tag does not match its start tag");
        }
        state = END_SPACE;
      }
      // END_SPACE
      while (pos < end && (classes[bytes[pos]!]! & SPACE) !== 0) pos++;
      if (pos === end) return this.#wait(END_SPACE, pos);
      if (bytes[pos] !== GT) return this.#refuse(pos, "an end tag must hold nothing but its name");
      pos++;
      this.leave();
      if (this.depth < 2) {
        input.pos = pos;
        return END_TAG;
      }
      state = CONTENT;
    }
  }

  /** From an element's name to the `>` of its start tag: `NAME_START` to `EMPTY_TAG`. */
  #scanStartTag(): Step {
    const input = this.#input;
    const tag = this.bench.tag;
    const { bytes, end, item } = input;
    let pos = input.pos;
    let state = this.#state;
    for (;;) {
      if (state === NAME_START) {
        if (pos === end) return this.#wait(NAME_START, pos);
        const byte = bytes[pos]!;
        if ((classes[byte]! & STARTS_NAME) !== 0) {
          pos++;
        } else {
          const code = decodeChar(bytes, pos, end);
          if (code === INCOMPLETE) return this.#wait(NAME_START, pos);
          if (!isNameStart(code)) return this.#refuse(pos, "a name cannot begin like this");
          pos += utf8Length(code);
        }
        state = NAME;
      }
      if (state === NAME) {
        while (pos < end && (classes[bytes[pos]!]! & IN_NAME) !== 0) pos++;
        if (pos === end) return this.#wait(NAME, pos);
        const byte = bytes[pos]!;
        if (byte >= 0x80) {
          const code = decodeChar(bytes, pos, end);
          if (code === INCOMPLETE) return this.#wait(NAME, pos);
          if (!isNameChar(code)) return this.#refuse(pos, "a name cannot go on like this");
          pos += utf8Length(code);
          continue;
        }
        if (byte === COLON) {
          if (tag.colon !== NONE) return this.#refuse(pos, "a name has more than one colon");
          tag.colon = pos - item;
          pos++;
          state = NAME_START;
          continue;
        }
        tag.endName(pos - item, bytes, item);
        if (tag.count === 0) {
          state = AFTER;
        } else if (byte === EQUALS_SIGN) {
          pos++;
          state = QUOTE;
        } else {
          state = EQUALS;
        }
      }
      if (state === EQUALS) {
        while (pos < end && (classes[bytes[pos]!]! & SPACE) !== 0) pos++;
        if (pos === end) return this.#wait(EQUALS, pos);
        if (bytes[pos] !== EQUALS_SIGN) return this.#refuse(pos, "an attribute has no value");
        pos++;
        state = QUOTE;
      }
      if (state === QUOTE) {
        while (pos < end && (classes[bytes[pos]!]! & SPACE) !== 0) pos++;
        if (pos === end) return this.#wait(QUOTE, pos);
        const byte = bytes[pos]!;
        if (byte !== APOSTROPHE && byte !== QUOTATION) {
          return this.#refuse(pos, "an attribute's value stands without quotes");
        }
        pos++;
        this.#quote = byte;
        this.#valueStart = pos - item;
        state = VALUE;
      }
      if (state === VALUE) {
        while (pos < end && (classes[bytes[pos]!]! & STOPS_VALUE) === 0) pos++;
        if (pos === end) return this.#wait(VALUE, pos);
        const byte = bytes[pos]!;
        if (byte === this.#quote) {
          tag.endValue(this.#valueStart, pos - item);
          pos++;
          state = AFTER;
        } else if (byte === APOSTROPHE || byte === QUOTATION) {
          pos++;
          continue;
        } else if ((classes[byte]! & SPACE) !== 0) {
          tag.raw = true;
          pos++;
          continue;
        } else if (byte === AMP) {
          tag.raw = true;
          return this.#beginReference(pos, VALUE);
        } else if (byte === LT) {
          return this.#refuse(pos, "< must not stand in an attribute's value");
        } else {
          const next = skipBeyondAscii(bytes, pos, end);
          if (next === pos) return this.#stopAt(pos, VALUE);
          pos = next;
          continue;
        }
      }
      if (state === AFTER) {
        if (pos === end) return this.#wait(AFTER, pos);
        if ((classes[bytes[pos]!]! & SPACE) !== 0) {
          pos++;
          state = BEFORE;
        }
      }
      if (state !== EMPTY_TAG) {
        // AFTER and BEFORE: the tag may end; an attribute needs white space before it.
        if (state === BEFORE) {
          while (pos < end && (classes[bytes[pos]!]! & SPACE) !== 0) pos++;
          if (pos === end) return this.#wait(BEFORE, pos);
        }
        const byte = bytes[pos]!;
        if (byte === GT) return this.#endStartTag(pos + 1, false);
        if (byte === SLASH) {
          pos++;
          state = EMPTY_TAG;
        } else if (state === AFTER) {
          return this.#refuse(pos, "white space must stand before each attribute");
        } else {
          if (tag.count >= this.#limits.attributes) {
            return this.#fail("limit", pos, BEYOND.attributes);
          }
          tag.beginAttribute(pos - item);
          state = NAME_START;
          continue;
        }
      }
      if (pos === end) return this.#wait(EMPTY_TAG, pos);
      if (bytes[pos] !== GT) return this.#refuse(pos, "> must follow / at the end of a tag");
      return this.#endStartTag(pos + 1, true);
    }
  }

  /** From behind `<!`: a CDATA section, where one may be. */
  #scanSection(): Step {
    const input = this.#input;
    const start = input.item + this.#markup;
    if (this.#state === SECTION) {
      const step = scanCdataOpen(input, start, this.#refusal);
      if (step !== AGAIN) return step;
      if (this.depth < 2) return this.#fail("not-well-formed", start, OUTSIDE);
      this.#state = CDATA;
    }
    const step = scanCdata(input, this.#refusal);
    if (step === AGAIN) this.#state = CONTENT;
    return step;
  }

  /** From behind `<?`: an XML declaration, where one may be. */
  #scanInstruction(): Step {
    const input = this.#input;
    const allowed = this.depth === 0 ? this.#atStart : this.depth === 1 && this.restartExpected;
    if (!allowed) return refuseInstruction(input, input.item + this.#markup, this.#refusal);
    const step = scanXmlDeclaration(input, this.#refusal);
    if (step !== AGAIN) return step;
    input.drop();
    if (this.depth === 1) this.forget();
    this.#atStart = false;
    return this.#go(PROLOG, input.pos);
  }

  /** Before the root, between payloads, behind the root: white space, and the next `<`. */
  #scanOutside(): Step {
    const input = this.#input;
    const { bytes, end } = input;
    let pos = input.pos;
    if (this.#state === START) {
      if (pos === end) return this.#wait(START, pos);
      this.#state = PROLOG;
      if (bytes[pos] === MARK_START) {
        input.open(pos);
        return this.#go(MARK, pos);
      }
    }
    if (this.#state === MARK) {
      const step = scanMark(input, this.#refusal);
      return step === AGAIN ? this.#go(PROLOG, input.pos) : step;
    }
    const from = pos;
    while (pos < end && (classes[bytes[pos]!]! & SPACE) !== 0) pos++;
    if (pos > from) this.#atStart = false;
    if (pos === end) return this.#wait(this.#state, pos);
    input.open(pos);
    this.#markup = 0;
    if (bytes[pos] === LT && this.#state !== EPILOG) return this.#go(MARKUP, pos + 1);
    return this.#refuse(pos, OUTSIDE);
  }

  #beginReference(pos: number, resume: number): Step {
    this.bench.reference.begin(this.#input, pos);
    this.#resume = resume;
    return this.#go(REFERENCE, this.#input.pos);
  }

  /** A start tag is complete: the tokenizer looks at the outer ones before they are entered. */
  #endStartTag(pos: number, empty: boolean): Step {
    this.#input.pos = pos;
    this.empty = empty;
    if (this.depth < 2) return START_TAG;
    if (!this.enter()) return REFUSED;
    if (empty) this.leave();
    return AGAIN;
  }

  #go(state: number, pos: number): Step {
    this.#state = state;
    this.#input.pos = pos;
    return AGAIN;
  }

  #wait(state: number, pos: number): Step {
    this.#state = state;
    this.#input.pos = pos;
    return NEEDS_BYTES;
  }

  /** No character is whole and allowed at `pos`. */
  #stopAt(pos: number, state: number): Step {
    const code = decodeChar(this.#input.bytes, pos, this.#input.end);
    return code === INCOMPLETE ? this.#wait(state, pos) : this.#refuse(pos, FORBIDDEN);
  }

  #refuse(pos: number, message: string): Step {
    return this.#refusal.refuse(this.#input, pos, message);
  }

  #fail(kind: XmlErrorKind, pos: number, message: string): Step {
    return this.#refusal.fail(this.#input, pos, kind, message);
  }
}

// V8 folds a module's own constants into its code; imported ones it loads and checks at each use.
const classes = CLASSES;
const { STOPS_TEXT, STOPS_VALUE, SPACE, STARTS_NAME, IN_NAME } = CLASS;
const { AMP, APOSTROPHE, BANG, BRACKET, COLON, EQUALS_SIGN, GT, LT } = ASCII;
const { QUESTION, QUOTATION, SLASH } = ASCII;
const { NEEDS_BYTES, REFUSED, START_TAG, END_TAG, AGAIN } = STEP;

const CONTENT = 0;
const MARKUP = 1;
const END_NAME = 2;
const END_SPACE = 3;
const NAME_START = 4;
const NAME = 5;
const EQUALS = 6;
const QUOTE = 7;
const VALUE = 8;
const AFTER = 9;
const BEFORE = 10;
const EMPTY_TAG = 11;
const REFERENCE = 12;
const SECTION = 13;
const CDATA = 14;
const INSTRUCTION = 15;
const START = 16;
const MARK = 17;
const PROLOG = 18;
const BETWEEN = 19;
const EPILOG = 20;

const OUTSIDE = "something other than white space stands outside of any payload";
