import { type Attribute, Attributes } from "./attributes.ts";
import { declarationFault, type Scopes } from "./namespaces.ts";
import { NS } from "./names.ts";
import type { Declaration } from "./payload.ts";
import { sameBytes, textOf, valueOf } from "./text.ts";

/** No colon, or no such attribute. */
export const NONE = -1;

/**
 * The start tag that is being read: where its parts lie, as positions counted from
 * the first byte of the item. Strings are made only for prefixes, for the root's
 * attributes and for uncommon names.
 */
export class StartTag {
  /** Where the tag's `<` is. */
  start = 0;
  /** The name that is being read: the element's first, then each attribute's. */
  nameStart = 0;
  /** Its colon, or `NONE`. */
  colon = NONE;
  /** The element's name, once it is complete. */
  elementStart = 0;
  elementColon = NONE;
  elementEnd = 0;
  /** Attributes and declarations so far, the one that is being read among them. */
  count = 0;
  /** The `xmlns` attribute, or `NONE`. */
  defaultAt = NONE;
  /** Some value has references or white space that make it differ from its bytes. */
  raw = false;
  /** Why `resolve` refuses the tag at `faultAt`. */
  faultAt = 0;
  /** Some name has a prefix other than `xml`. */
  #prefixed = false;
  /** A bit for each name of an attribute, by what it looks like at first sight. */
  #looks = 0;
  /** Two look alike. */
  #alike = false;
  /** Of each attribute: name start, colon, name end, value start, value end. */
  readonly #parts: number[] = [];

  /** Begins at the `<`, which the name follows. */
  begin(start: number): void {
    this.start = start;
    this.nameStart = start + 1;
    this.colon = NONE;
    this.count = 0;
    this.defaultAt = NONE;
    this.raw = false;
    this.#prefixed = false;
    this.#looks = 0;
    this.#alike = false;
  }

  beginAttribute(nameStart: number): void {
    this.nameStart = nameStart;
    this.colon = NONE;
    this.count++;
  }

  /** The name that was being read ends at `end`. */
  endName(end: number, bytes: Uint8Array, item: number): void {
    const { nameStart, colon, count } = this;
    if (count === 0) {
      this.elementStart = nameStart;
      this.elementColon = colon;
      this.elementEnd = end;
      if (colon !== NONE) this.#prefixed = true;
      return;
    }
    const part = (count - 1) * STRIDE;
    this.#parts[part] = nameStart;
    this.#parts[part + 1] = colon;
    this.#parts[part + 2] = end;
    const look = 1 << (bytes[item + nameStart]! + 3 * bytes[item + end - 1]! + end - nameStart);
    if ((this.#looks & look) !== 0) this.#alike = true;
    this.#looks |= look;
    if (colon !== NONE) {
      if (colon - nameStart !== 3 || !sameBytes(bytes, item + nameStart, XMLNS, 0, 3)) {
        this.#prefixed = true;
      }
    } else if (end - nameStart === 5 && sameBytes(bytes, item + nameStart, XMLNS, 0, 5)) {
      this.defaultAt = count - 1;
    }
  }

  endValue(start: number, end: number): void {
    const part = (this.count - 1) * STRIDE;
    this.#parts[part + 3] = start;
    this.#parts[part + 4] = end;
  }

  /**
   * Checks what can only be checked at the tag's end, and brings its declarations into
   * scope. Returns what is wrong at `faultAt`, or `undefined`. `item` is where positions
   * count from in `bytes`.
   */
  resolve(scopes: Scopes, depth: number, bytes: Uint8Array, item: number): string | undefined {
    if (this.#alike) {
      const twice = this.#duplicate(bytes, item);
      if (twice !== NONE) return this.#fault(twice, TWICE);
    }
    if (this.defaultAt !== NONE && (this.raw || this.#isReserved(this.defaultAt, bytes, item))) {
      const fault = declarationFault("", this.#value(this.defaultAt, bytes, item));
      if (fault !== undefined) return this.#fault(this.defaultAt, fault);
    }
    return this.#prefixed ? this.#resolvePrefixes(scopes, depth, bytes, item) : undefined;
  }

  /** The namespace of the element by the tag's own declarations; `undefined` when its prefix is not declared here. */
  ownNamespace(bytes: Uint8Array, item: number): string | undefined {
    if (this.elementColon === NONE) {
      return this.defaultAt === NONE ? "" : this.#value(this.defaultAt, bytes, item);
    }
    const prefix = this.prefix(bytes, item);
    for (let index = 0; index < this.count; index++) {
      if (this.#declares(index, bytes, item) && this.#local(index, bytes, item) === prefix) {
        return this.#value(index, bytes, item);
      }
    }
    return undefined;
  }

  prefix(bytes: Uint8Array, item: number): string {
    if (this.elementColon === NONE) return "";
    return textOf(bytes, item + this.elementStart, item + this.elementColon);
  }

  localName(bytes: Uint8Array, item: number): string {
    const from = this.elementColon === NONE ? this.elementStart : this.elementColon + 1;
    return textOf(bytes, item + from, item + this.elementEnd);
  }

  /** The attributes and declarations of the root's tag once it is resolved, in document order. */
  contents(
    scopes: Scopes,
    bytes: Uint8Array,
    item: number,
  ): { readonly attributes: Attributes; readonly declarations: readonly Declaration[] } {
    const declared = this.#countDeclarations(bytes, item);
    // Made at their size: one that grows leaves room for many.
    const attributes = new Array<Attribute>(this.count - declared);
    const declarations = new Array<Declaration>(declared);
    let a = 0;
    let d = 0;
    for (let index = 0; index < this.count; index++) {
      const value = this.#value(index, bytes, item);
      if (index === this.defaultAt) {
        declarations[d++] = { prefix: "", namespace: value };
      } else if (this.#declares(index, bytes, item)) {
        declarations[d++] = { prefix: this.#local(index, bytes, item), namespace: value };
      } else {
        const name = this.#local(index, bytes, item);
        const prefix = this.#prefix(index, bytes, item);
        // The default namespace does not apply to attributes (Namespaces in XML §6.2).
        const namespace = prefix === "" ? "" : scopes.resolve(prefix, 1)!;
        attributes[a++] = { name, namespace, prefix, value };
      }
    }
    return { attributes: new Attributes(attributes), declarations };
  }

  #resolvePrefixes(
    scopes: Scopes,
    depth: number,
    bytes: Uint8Array,
    item: number,
  ): string | undefined {
    for (let index = 0; index < this.count; index++) {
      if (!this.#declares(index, bytes, item)) continue;
      const prefix = this.#local(index, bytes, item);
      const namespace = this.#value(index, bytes, item);
      const fault = declarationFault(prefix, namespace);
      if (fault !== undefined) return this.#fault(index, fault);
      scopes.declare(prefix, namespace, depth);
    }
    const prefix = this.prefix(bytes, item);
    if (prefix !== "" && scopes.resolve(prefix, depth) === undefined) {
      this.faultAt = this.elementStart;
      // Namespaces in XML §3: "Element names MUST NOT have the prefix xmlns."
      return "an element's prefix is not bound to a namespace";
    }
    // Keyed by the namespace alone: its string is the binding's own and may be long, and is hashed once.
    let expanded: Map<string, Set<string>> | undefined;
    for (let index = 0; index < this.count; index++) {
      const prefix = this.#prefix(index, bytes, item);
      if (prefix === "" || prefix === "xmlns") continue;
      const namespace = scopes.resolve(prefix, depth);
      if (namespace === undefined) {
        return this.#fault(index, "an attribute's prefix is not bound to a namespace");
      }
      const name = this.#local(index, bytes, item);
      expanded ??= new Map();
      const names = expanded.get(namespace);
      if (names === undefined) expanded.set(namespace, new Set([name]));
      // Namespaces in XML §6.3: no two attributes with the same expanded name.
      else if (names.has(name)) return this.#fault(index, TWICE);
      else names.add(name);
    }
    return undefined;
  }

  /** The first attribute whose qualified name stood before (XML 1.0 §3.1), or `NONE`. */
  #duplicate(bytes: Uint8Array, item: number): number {
    // Comparing pairs is quickest for the usual few; for many it would be quadratic.
    if (this.count > MANY) return this.#duplicateOfMany(bytes, item);
    const parts = this.#parts;
    for (let later = STRIDE; later < this.count * STRIDE; later += STRIDE) {
      const start = parts[later]!;
      const length = parts[later + 2]! - start;
      for (let earlier = 0; earlier < later; earlier += STRIDE) {
        if (
          parts[earlier + 2]! - parts[earlier]! === length &&
          sameBytes(bytes, item + parts[earlier]!, bytes, item + start, length)
        ) return later / STRIDE;
      }
    }
    return NONE;
  }

  #duplicateOfMany(bytes: Uint8Array, item: number): number {
    const names = new Set<string>();
    for (let index = 0; index < this.count; index++) {
      const part = index * STRIDE;
      const name = textOf(bytes, item + this.#parts[part]!, item + this.#parts[part + 2]!);
      if (names.has(name)) return index;
      names.add(name);
    }
    return NONE;
  }

  /** Is the value, as its bytes stand, a namespace that has a prefix by definition? */
  #isReserved(index: number, bytes: Uint8Array, item: number): boolean {
    const start = this.#parts[index * STRIDE + 3]!;
    const length = this.#parts[index * STRIDE + 4]! - start;
    const reserved = length === XML_NAMESPACE.length
      ? XML_NAMESPACE
      : length === XMLNS_NAMESPACE.length
      ? XMLNS_NAMESPACE
      : undefined;
    return reserved !== undefined && sameBytes(bytes, item + start, reserved, 0, length);
  }

  #fault(index: number, message: string): string {
    this.faultAt = this.#parts[index * STRIDE]!;
    return message;
  }

  #countDeclarations(bytes: Uint8Array, item: number): number {
    let count = this.defaultAt === NONE ? 0 : 1;
    for (let index = 0; this.#prefixed && index < this.count; index++) {
      if (this.#declares(index, bytes, item)) count++;
    }
    return count;
  }

  /** Is it `xmlns:…`? */
  #declares(index: number, bytes: Uint8Array, item: number): boolean {
    const start = this.#parts[index * STRIDE]!;
    return this.#parts[index * STRIDE + 1]! - start === 5 &&
      sameBytes(bytes, item + start, XMLNS, 0, 5);
  }

  #prefix(index: number, bytes: Uint8Array, item: number): string {
    const part = index * STRIDE;
    const colon = this.#parts[part + 1]!;
    return colon === NONE ? "" : textOf(bytes, item + this.#parts[part]!, item + colon);
  }

  #local(index: number, bytes: Uint8Array, item: number): string {
    const part = index * STRIDE;
    const colon = this.#parts[part + 1]!;
    const from = colon === NONE ? this.#parts[part]! : colon + 1;
    return textOf(bytes, item + from, item + this.#parts[part + 2]!);
  }

  #value(index: number, bytes: Uint8Array, item: number): string {
    const start = item + this.#parts[index * STRIDE + 3]!;
    const end = item + this.#parts[index * STRIDE + 4]!;
    return this.raw ? valueOf(bytes, start, end) : textOf(bytes, start, end);
  }
}

const TWICE = "an attribute stands twice in one start tag";

const STRIDE = 5;
const MANY = 16;
const encoder = new TextEncoder();
const XMLNS = encoder.encode("xmlns");
const XML_NAMESPACE = encoder.encode(NS.XML);
const XMLNS_NAMESPACE = encoder.encode(NS.XMLNS);
