import { NS } from "../protocol/xml/names.ts";
import type { Declaration } from "../protocol/xml/payload.ts";
import { attribute, escape } from "../protocol/xml/writer.ts";

/**
 * One XML element with its names resolved. Attributes go by local name, or by
 * `{namespace}name` where they have a prefix; what is not an element is text.
 */
export interface Element {
  readonly name: string;
  readonly namespace: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly (Element | string)[];
}

/** The attribute `xml:lang`, as {@link Element.attributes} knows it. */
export const XML_LANG = `{${NS.XML}}lang`;

/** Builds an element; attributes that are `undefined` are left out. */
export function element(
  name: string,
  namespace: string,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly (Element | string)[]
): Element {
  const present = new Map<string, string>();
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) present.set(key, value);
  }
  return { name, namespace, attributes: present, children };
}

/** The same element with other values for some attributes. */
export function withAttributes(
  { name, namespace, attributes, children }: Element,
  changed: Readonly<Record<string, string>>,
): Element {
  return {
    name,
    namespace,
    attributes: new Map([...attributes, ...Object.entries(changed)]),
    children,
  };
}

/** The child elements, without the text between them. */
export function elements(parent: Element): Element[] {
  return parent.children.filter((child) => typeof child !== "string");
}

/** The first child element of that name and namespace. */
export function childOf(parent: Element, name: string, namespace: string): Element | undefined {
  return elements(parent).find((child) => child.name === name && child.namespace === namespace);
}

/** The text directly inside the element. */
export function textOf(parent: Element): string {
  return parent.children.filter((child) => typeof child === "string").join("");
}

/**
 * Reads one element from bytes that the tokenizer has found well-formed.
 * `declarations` are those of the stream header around it.
 */
export function readElement(bytes: Uint8Array, declarations: readonly Declaration[]): Element {
  const root: (Element | string)[] = [];
  const open = [{ into: root, scope: scopeOf(declarations, new Map([["xml", NS.XML]])) }];
  for (const { groups = {} } of new TextDecoder().decode(bytes).matchAll(MARKUP)) {
    const parent = open.at(-1);
    if (parent === undefined) break;
    const { name, inside = "", text, cdata } = groups;
    if (text !== undefined) parent.into.push(unescape(newlines(text)));
    else if (cdata !== undefined) parent.into.push(newlines(cdata));
    else if (name === undefined) open.pop();
    else {
      const { attributes, scope } = readAttributes(inside, parent.scope);
      const [prefix, local] = split(name);
      const children: (Element | string)[] = [];
      parent.into.push({
        name: local,
        namespace: scope.get(prefix) ?? "",
        attributes,
        children,
      });
      if (!inside.endsWith("/")) open.push({ into: children, scope });
    }
  }
  const [element] = root;
  if (element === undefined || typeof element === "string") {
    throw new TypeError("Cannot read an element: there is none");
  }
  return element;
}

/** Writes the element as it stands inside a parent of the namespace `around`. */
export function writeElement(
  { name, namespace, attributes, children }: Element,
  around: string,
): string {
  let xml = `<${name}`;
  if (namespace !== around) xml += attribute("xmlns", namespace);
  let prefixes = 0;
  for (const [key, value] of attributes) {
    const [, of, local = key] = CLARK.exec(key) ?? [];
    if (of === undefined) xml += attribute(local, value);
    else if (of === NS.XML) xml += attribute(`xml:${local}`, value);
    else {
      const prefix = `a${prefixes++}`;
      xml += attribute(`xmlns:${prefix}`, of) + attribute(`${prefix}:${local}`, value);
    }
  }
  if (children.length === 0) return `${xml}/>`;
  xml += ">";
  for (const child of children) {
    xml += typeof child === "string" ? escape(child) : writeElement(child, namespace);
  }
  return `${xml}</${name}>`;
}

/** Namespace by prefix; the default namespace has the prefix `""`. */
type Scope = ReadonlyMap<string, string>;

const MARKUP =
  /<!\[CDATA\[(?<cdata>.*?)\]\]>|<\/[^>]*>|<(?<name>[^\s/>]+)(?<inside>(?:[^"'>]|"[^"]*"|'[^']*')*)>|(?<text>[^<]+)/gs;
const ATTRIBUTE = /(?<name>[^\s=]+)\s*=\s*(?:"(?<double>[^"]*)"|'(?<single>[^']*)')/g;
const CLARK = /^\{(.*)\}(.*)$/s;

function readAttributes(
  inside: string,
  around: Scope,
): { attributes: Map<string, string>; scope: Scope } {
  const declarations: Declaration[] = [];
  const written: [string, string][] = [];
  for (const { groups = {} } of inside.matchAll(ATTRIBUTE)) {
    const { name = "", double, single } = groups;
    // XML 1.0 §3.3.3: literal white space in a value is a space, a reference to one is kept.
    const value = unescape(newlines(double ?? single ?? "").replace(/[\t\n]/g, " "));
    const [prefix, local] = split(name);
    if (name === "xmlns") declarations.push({ prefix: "", namespace: value });
    else if (prefix === "xmlns") declarations.push({ prefix: local, namespace: value });
    else written.push([name, value]);
  }
  const scope = scopeOf(declarations, around);
  const attributes = new Map(written.map(([name, value]) => {
    const [prefix, local] = split(name);
    // Namespaces in XML §6.2: no prefix, no namespace.
    return [prefix === "" ? local : `{${scope.get(prefix) ?? ""}}${local}`, value];
  }));
  return { attributes, scope };
}

function scopeOf(declarations: readonly Declaration[], around: Scope): Scope {
  if (declarations.length === 0) return around;
  return new Map([...around, ...declarations.map((d) => [d.prefix, d.namespace] as const)]);
}

function split(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(":");
  return colon < 0 ? ["", name] : [name.slice(0, colon), name.slice(colon + 1)];
}

/** XML 1.0 §2.11: every line ends in one line feed. */
function newlines(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

function unescape(text: string): string {
  return text.replace(/&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|(\w+));/g, (all, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(parseInt(decimal, 10));
    return ENTITIES[name] ?? all;
  });
}
