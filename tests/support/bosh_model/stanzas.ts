import { NS } from "../../../src/protocol/xml/names.ts";
import type { Stanza, Wanted } from "./streams.ts";

const encoder = new TextEncoder();

/** `@` is where the id goes, `^` where a declaration must be spliced in. */
export interface StanzaKind {
  readonly name: string;
  readonly namespace: string;
  readonly xml: string;
  readonly inherits?: Stanza["payload"]["inherits"];
  readonly bounces?: true;
  readonly teaches?: Wanted["teaches"];
}

export const FEATURES: StanzaKind = {
  name: "features",
  namespace: NS.STREAMS,
  xml: "<stream:features^ id='@'/>",
  inherits: [{ prefix: "stream", namespace: NS.STREAMS }],
  teaches: "features",
};
export const ERROR: StanzaKind = {
  name: "error",
  namespace: NS.STREAMS,
  xml: `<stream:error^ id='@'><conflict xmlns='${NS.STREAM_ERRORS}'/></stream:error>`,
  inherits: [{ prefix: "stream", namespace: NS.STREAMS }],
};
const MESSAGE = { name: "message", namespace: NS.CLIENT } as const;
/** More than one answer carries. */
export const HUGE: StanzaKind = {
  ...MESSAGE,
  xml: `<message^ id='@' from='a@b'>${"x".repeat(140_000)}</message>`,
  bounces: true,
};
export const STANZAS: readonly StanzaKind[] = [
  { ...MESSAGE, xml: "<message^ id='@' from='a@b'>h\u00e9</message>", bounces: true },
  { ...MESSAGE, xml: `<message xmlns='${NS.CLIENT}' id='@' from='a@b'/>`, bounces: true },
  { ...MESSAGE, xml: "<message^ id='@' from='a@b' type='groupchat'/>" },
  { ...MESSAGE, xml: `<message^ id='@'>${"y".repeat(400)}</message>` },
  {
    ...MESSAGE,
    xml: "<message^ id='@' from='a@b'><db:x/></message>",
    inherits: [{ prefix: "db", namespace: "urn:db" }],
    bounces: true,
  },
  { name: "presence", namespace: NS.CLIENT, xml: "<presence^ id='@' from='a@b'/>" },
  { name: "iq", namespace: NS.CLIENT, xml: "<iq^ id='@' from='a@b' type='get'/>", bounces: true },
  { name: "iq", namespace: NS.CLIENT, xml: "<iq^ id='@' from='a@b' type='result'/>" },
  {
    name: "enabled",
    namespace: NS.SM,
    xml: `<enabled xmlns='${NS.SM}' id='@'/>`,
    teaches: "stream-management",
  },
];

export function stanza({ name, namespace, xml, ...more }: StanzaKind, id: string): Stanza {
  const { inherits = [], bounces = false, teaches } = more;
  const said = xml.replace("@", id);
  const prefixes = inherits.filter(({ prefix }) => prefix !== "stream");
  const declared = ` xmlns='${NS.CLIENT}'` +
    prefixes.map((one) => ` xmlns:${one.prefix}='${one.namespace}'`).join("");
  const text = said.replace("^", declared);
  const bytes = encoder.encode(said.replace("^", ""));
  const nameEnd = /[ ^>/]/.exec(said.slice(1))!.index + 1;
  const payload = {
    name,
    namespace,
    bytes,
    nameEnd,
    declaresDefault: !xml.includes("^"),
    inherits,
  };
  const size = text.length + (text.includes("\u00e9") ? 1 : 0);
  const matters = namespace === NS.CLIENT && name !== "presence";
  return { payload, wanted: { text, id, size, matters, bounces, teaches } };
}
