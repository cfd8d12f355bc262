import { type Data, type Question, type RecordType, type Reply } from "./message.ts";

/** What DNS has for a question. */
export interface Answer<T extends RecordType = RecordType> {
  /** None when there is no such name, or none of this type. */
  readonly records: readonly Data<T>[];
  /** Seconds for which that holds. */
  readonly ttl: number;
}

/** The answer lies under another name, which the name server did not look up. */
export interface Elsewhere {
  readonly alias: string;
  readonly ttl: number;
  /** How many aliases led there. */
  readonly hops: number;
}

/** More aliases than anybody needs; a loop of them comes to its end. */
export const MAX_ALIASES = 8;

/**
 * What a reply without an error says to the question. `undefined`: its aliases lead on and on.
 */
export function answerOf(reply: Reply, { name }: Question): Answer | Elsewhere | undefined {
  let ttl = Infinity;
  for (let hops = 0; hops <= MAX_ALIASES; hops++) {
    const own = reply.answers.filter((record) => record.name === name);
    const records = own.flatMap(({ value }) => "data" in value ? [value.data] : []);
    // What is reached by an alias holds no longer than the alias does.
    ttl = own.reduce((least, record) => Math.min(least, record.ttl), ttl);
    if (records.length > 0) return { records, ttl };
    const alias = own.flatMap(({ value }) => "alias" in value ? [value.alias] : [])[0];
    if (alias !== undefined) name = alias;
    // RFC 2308 §2.2: without an SOA nothing says that there is nothing at the alias's end.
    else if (hops > 0 && reply.rcode === 0 && reply.absence === undefined) {
      return { alias: name, ttl, hops };
      // RFC 2308 §5: what does not say how long it holds SHOULD NOT be kept.
    } else return { records: [], ttl: Math.min(ttl, reply.absence ?? 0) };
  }
  return undefined;
}
