/** More attributes for a stream header: qualified names and their values. */
export type StreamAttributes = readonly (readonly [name: string, value: string])[];

/** Names that a stream header has of its own (RFC 6120 §4.7), and the reserved prefix of namespaces. */
const OURS = /^(?:to|from|id|version|xml:lang|xmlns|xmlns:.*)$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const MOST = 16;

/**
 * Reads the attribute `stream_attrs`, which node-xmpp-bosh introduced: a JSON object whose members
 * become attributes of the stream header. `null` when it is not one, or names what is not the
 * client's to say.
 */
export function readStreamAttributes(
  text: string | undefined,
): StreamAttributes | undefined | null {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const entries = Object.entries(value);
  const legal = entries.length <= MOST &&
    entries.every(([name, value]) =>
      NAME.test(name) && !OURS.test(name) && typeof value === "string" && isText(value)
    );
  return legal ? entries as StreamAttributes : null;
}

/** Characters that XML can hold, however they are written (XML 1.0 §2.2). */
function isText(value: string): boolean {
  // deno-lint-ignore no-control-regex
  return value.length <= 1024 && !/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(value) &&
    value.isWellFormed();
}
