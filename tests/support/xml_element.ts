import { SaxesParser } from "saxes";

/** An element as a parser that is not ours sees it. */
export interface XmlElement {
  /** Local name. */
  readonly name: string;
  readonly prefix: string;
  readonly namespace: string;
  /** By name as it was written, declarations included. */
  readonly attributes: ReadonlyMap<string, XmlAttribute>;
  readonly children: readonly (XmlElement | string)[];
}

export interface XmlAttribute {
  readonly name: string;
  readonly namespace: string;
  readonly value: string;
}

/**
 * Reads a document. Throws when it is not well-formed, with its namespaces too, or holds what XMPP
 * forbids: declarations, comments, processing instructions, document types.
 */
export function parseXml(text: string): XmlElement {
  type Draft = XmlElement & { children: (XmlElement | string)[] };
  const parser = new SaxesParser({ xmlns: true });
  const open: Draft[] = [];
  let root: XmlElement | undefined;
  const refuse = (what: string) => () => {
    throw new Error(`${what} in ${text}`);
  };
  const add = (more: string) => {
    const children = open.at(-1)?.children;
    const last = children?.at(-1);
    if (typeof last === "string") children!.splice(-1, 1, last + more);
    else children?.push(more);
  };
  parser.on("error", (error) => {
    throw new Error(`${error.message} in ${text}`);
  });
  parser.on("xmldecl", refuse("an XML declaration"));
  parser.on("doctype", refuse("a document type"));
  parser.on("comment", refuse("a comment"));
  parser.on("processinginstruction", refuse("a processing instruction"));
  parser.on("text", add);
  parser.on("cdata", add);
  parser.on("opentag", ({ local, prefix, uri, attributes }) => {
    const element: Draft = {
      name: local,
      prefix,
      namespace: uri,
      attributes: new Map(
        Object.entries(attributes).map((
          [name, { local, uri, value }],
        ) => [name, { name: local, namespace: uri, value }]),
      ),
      children: [],
    };
    if (open.length === 0) root = element;
    else open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on("closetag", () => open.pop());
  parser.write(text).close();
  return root!;
}

/** The elements in a piece of a client's stream, as the server of that stream sees them. */
export function parseStream(text: string): XmlElement[] {
  const { children } = parseXml(
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" +
      `${text}</stream:stream>`,
  );
  return children.map((child) => {
    if (typeof child === "string") throw new Error(`text between the elements of ${text}`);
    return child;
  });
}

/**
 * One spelling for all that mean the same: `{namespace}name` instead of prefixes, attributes in
 * the order of their names, no declarations.
 */
export function canonical(node: XmlElement | string): string {
  if (typeof node === "string") return JSON.stringify(node);
  const attributes = [...node.attributes.values()]
    .filter(({ namespace }) => namespace !== "http://www.w3.org/2000/xmlns/")
    .map(({ name, namespace, value }) => ` {${namespace}}${name}=${JSON.stringify(value)}`)
    .sort();
  const content = node.children.map(canonical).join("");
  return `<{${node.namespace}}${node.name}${attributes.join("")}>${content}</>`;
}

/** Whether saxes may read a text in another way: it takes white space from the ends of namespaces, as nobody else does. */
export function hasPaddedNamespace(text: string): boolean {
  return /xmlns[^=]*=\s*(?:'(?:\s|[^']*\s')|"(?:\s|[^"]*\s"))/.test(text);
}
