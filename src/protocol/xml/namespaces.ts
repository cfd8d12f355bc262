import { NS } from "./names.ts";
import type { Declaration } from "./payload.ts";

/** What a prefix is bound to, and where that was said. */
interface Binding {
  readonly declaration: Declaration;
  /** Depth of the element that declares it; the root's is 1. */
  readonly depth: number;
  /** What it hides while that element is open. */
  readonly outer: Binding | undefined;
}

/**
 * The prefixes in scope (Namespaces in XML §6.1), and which of the root's own the
 * open payload uses. The default namespace is no prefix and is not kept here.
 */
export class Scopes {
  /** What prefixes mean that nobody declared. */
  readonly #assumed: readonly Declaration[];
  /** By prefix, once there are so many that looking through them takes time. */
  #bindings: Map<string, Binding> | undefined;
  /** The bindings of the open elements, innermost last. */
  #declared: Binding[] = [];
  /** `undefined`: none. */
  #inherited: Set<Declaration> | undefined;

  constructor(assumed: readonly Declaration[] = NONE) {
    this.#assumed = assumed;
  }

  declare(prefix: string, namespace: string, depth: number): void {
    const outer = this.#binding(prefix);
    const binding = { declaration: { prefix, namespace }, depth, outer };
    this.#bindings?.set(prefix, binding);
    // The root of a stream declares one, and growing leaves room for many.
    if (this.#declared.length === 0) this.#declared = [binding];
    else this.#declared.push(binding);
    if (this.#bindings === undefined && this.#declared.length > FEW) {
      this.#bindings = new Map(this.#declared.map((each) => [each.declaration.prefix, each]));
    }
  }

  /** The innermost one of this prefix. */
  #binding(prefix: string): Binding | undefined {
    if (this.#bindings !== undefined) return this.#bindings.get(prefix);
    for (let at = this.#declared.length - 1; at >= 0; at--) {
      const binding = this.#declared[at]!;
      if (binding.declaration.prefix === prefix) return binding;
    }
    return undefined;
  }

  /** The namespace that an element at `depth` means by the prefix, or `undefined` when it is unbound. */
  resolve(prefix: string, depth: number): string | undefined {
    // "The prefix xml is by definition bound" (Namespaces in XML §3).
    if (prefix === "xml") return NS.XML;
    const binding = this.#binding(prefix);
    if (binding === undefined) return this.#assume(prefix, depth);
    if (binding.depth === 1 && depth > 1) this.#inherit(binding.declaration);
    return binding.declaration.namespace;
  }

  #assume(prefix: string, depth: number): string | undefined {
    const declaration = this.#assumed.find((assumed) => assumed.prefix === prefix);
    // Nobody else will know what it means.
    if (declaration !== undefined && depth > 1) this.#inherit(declaration);
    return declaration?.namespace;
  }

  #inherit(declaration: Declaration): void {
    this.#inherited ??= new Set();
    this.#inherited.add(declaration);
  }

  /** The element at `depth` ends, and what it declared with it. */
  leave(depth: number): void {
    for (let last; (last = this.#declared.at(-1)) !== undefined && last.depth === depth;) {
      this.#declared.pop();
      const { prefix } = last.declaration;
      if (last.outer === undefined) this.#bindings?.delete(prefix);
      else this.#bindings?.set(prefix, last.outer);
    }
    if (this.#declared.length <= FEW) this.#bindings = undefined;
  }

  /** Depth of the innermost element that declares a prefix; 0 without one. */
  get innermost(): number {
    const count = this.#declared.length;
    return count === 0 ? 0 : this.#declared[count - 1]!.depth;
  }

  /** The root's declarations that were used since the last call, each once. */
  takeInherited(): readonly Declaration[] {
    if (this.#inherited === undefined) return NONE;
    const inherited = [...this.#inherited];
    this.#inherited = undefined;
    return inherited;
  }

  clear(): void {
    this.#bindings = undefined;
    if (this.#declared.length > 0) this.#declared.length = 0;
    this.#inherited = undefined;
  }
}

/**
 * Why a prefix must not be declared so, or `undefined` when it may (Namespaces in
 * XML §3: reserved prefixes and names; §2.2: no prefix can be undeclared).
 * The prefix is `""` for the default namespace.
 */
export function declarationFault(prefix: string, namespace: string): string | undefined {
  if (prefix === "xmlns") return "the prefix xmlns must not be declared";
  if (namespace === NS.XMLNS) return "the namespace of xmlns must not be declared";
  if ((prefix === "xml") !== (namespace === NS.XML)) {
    return "the prefix xml and its namespace must not be bound to any other";
  }
  if (prefix !== "" && namespace === "") return "a prefix must not be bound to no namespace";
  return undefined;
}

const NONE: readonly Declaration[] = Object.freeze([]);

/** Bindings that are looked through one by one: streams and most stanzas have one or two. */
const FEW = 8;
