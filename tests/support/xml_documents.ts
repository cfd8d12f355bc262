import fc from "fast-check";
import { NS } from "../../src/protocol/xml/names.ts";

export const PREFIXES = ["p", "q", "стр"];
const SPACES = ["", "", " ", "\n", "\t ", "\r\n"];

type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;

/**
 * Documents that are well-formed and that XMPP allows; of `bound` prefixes the declarations are
 * elsewhere.
 */
export function documents(bound: readonly string[] = []): fc.Arbitrary<string> {
  const space = fc.constantFrom(...SPACES);
  const gap = space.map((text) => text === "" ? " " : text);
  const local = fc.oneof(
    fc.constantFrom("a", "b", "message", "iq", "xml", "xmlns"),
    fc.constantFrom("é", "_-.9", "名", "\u{10000}", "b·\u0301", "stream"),
  );
  const reference = fc.constantFrom("&lt;", "&amp;", "&apos;", "&#10;", "&#x1F600;", "&#0065;");
  const char = fc.constantFrom(
    "x",
    "]",
    "é",
    "€",
    "𝄞",
    "\t",
    "\n",
    "\r",
    "\u007f",
    "\ufffd",
    "\ufeff",
  );
  const text = fc.array(fc.oneof(char, reference, fc.constantFrom("]] >", "'", '"')), {
    maxLength: 8,
  })
    .map((parts) => parts.join("").replaceAll("]]>", "]] >"));
  const cdata = fc.array(fc.oneof(char, fc.constantFrom("<", "&", "]]", ">", "<a>")), {
    maxLength: 6,
  })
    .map((parts) => `<![CDATA[${parts.join("").replaceAll("]]>", "]] >")}]]>`);
  const value = fc.tuple(
    fc.constantFrom("'", '"'),
    fc.array(fc.oneof(char, reference, fc.constantFrom(">", "/", "]]>")), { maxLength: 5 }),
  ).map(([quote, parts]) => quote + parts.join("") + quote);
  const namespace = fc.constantFrom("'u'", '"v"', "'&#117;'", `'${NS.CLIENT}'`, "'имя'");
  const declarations = fc.uniqueArray(
    fc.tuple(fc.constantFrom("", ...PREFIXES), namespace, gap),
    { maxLength: 3, selector: ([prefix]) => prefix },
  );
  const attributes = fc.uniqueArray(
    fc.tuple(fc.constantFrom("", "", "xml", ...PREFIXES), local, value, gap, space),
    // One local name for each: the prefixes may all mean the same namespace.
    { maxLength: 3, selector: ([, local]) => local },
  );
  const startTag = fc.tuple(
    fc.constantFrom("", "", ...PREFIXES),
    local,
    declarations,
    attributes,
    space,
  );

  /** What the generator drew, written so that all of its prefixes are bound. */
  const element = (
    [prefix, local, declared, attributes, space]: Drawn<typeof startTag>,
    bound: ReadonlySet<string>,
    content: ((bound: ReadonlySet<string>) => string) | undefined,
  ): string => {
    const inside = new Set([...bound, ...declared.map(([prefix]) => prefix)]);
    const name = prefix !== "" && inside.has(prefix) ? `${prefix}:${local}` : local;
    let tag = `<${name}`;
    for (const [prefix, namespace, gap] of declared) {
      tag += `${gap}xmlns${prefix === "" ? "" : `:${prefix}`}=${namespace}`;
    }
    for (const [prefix, local, value, gap, space] of attributes) {
      const prefixed = prefix === "xml" || prefix !== "" && inside.has(prefix);
      if (!prefixed && local === "xmlns") continue;
      tag += `${gap}${prefixed ? `${prefix}:` : ""}${local}${space}=${space}${value}`;
    }
    if (content === undefined) return `${tag}${space}/>`;
    return `${tag}${space}>${content(inside)}</${name}${space}>`;
  };

  type Node = (bound: ReadonlySet<string>) => string;
  const { node } = fc.letrec<{ node: Node; nodes: Node }>((tie) => ({
    node: fc.tuple(startTag, fc.option(tie("nodes"), { nil: undefined }))
      .map(([tag, content]) => (bound) => element(tag, bound, content)),
    nodes: fc.array(
      fc.oneof(
        { maxDepth: 3 },
        text.map((text): Node => () => text),
        cdata.map((text): Node => () => text),
        tie("node"),
      ),
      { maxLength: 4 },
    ).map((nodes) => (bound) => joined(nodes.map((node) => node(bound)))),
  }));
  const prolog = fc.constantFrom(
    ...[
      "",
      "",
      " ",
      "\ufeff",
      "<?xml version='1.0'?>",
      "\ufeff<?xml version='1.0' encoding='utf-8'?>\n",
    ],
  );
  return fc.tuple(prolog, startTag, fc.array(fc.tuple(space, node), { maxLength: 4 }), space)
    .map(([prolog, tag, payloads, space]) =>
      prolog + element(tag, new Set(bound), (bound) =>
        payloads.map(([space, payload]) =>
          space + payload(bound)
        ).join("") + space) +
      space
    );
}

/** Side by side, two texts may spell what neither does. */
function joined(parts: readonly string[]): string {
  return parts.reduce(
    (before, after) => /\]$/.test(before) ? `${before} ${after}` : before + after,
    "",
  );
}
