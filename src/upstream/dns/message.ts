/**
 * The wire format of DNS (RFC 1035 §4) as far as finding a server needs it: one question, and of
 * an answer the addresses, SRV records (RFC 2782), aliases, and for how long there is nothing.
 *
 * It is ours because the usual library, dns-packet, has had no release for years, has its types
 * elsewhere, and reads some sixty kinds of records that a stranger could then hand us.
 */

export type RecordType = "A" | "AAAA" | "SRV";

export interface Question {
  /** In A-labels, lower case, no dot at the end. */
  readonly name: string;
  readonly type: RecordType;
}

export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** A name without a dot at its end; `""` is the root, which says that there is no service. */
  readonly target: string;
}

/** An address as text, or what an SRV record says. */
export type Data<T extends RecordType = RecordType> = T extends "SRV" ? SrvRecord : string;

/** What a name server said. */
export interface Reply {
  /** RFC 1035 §4.1.1: 0 no error, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED … */
  readonly rcode: number;
  /** There is more than a datagram could hold: ask again by TCP. */
  readonly truncated: boolean;
  /** Answers of the type asked for, and aliases; those beyond {@link MAX_RECORDS} are left out. */
  readonly answers: readonly ReplyRecord[];
  /** Seconds for which the absence of an answer holds (RFC 2308 §5); `undefined`: not said. */
  readonly absence: number | undefined;
}

export interface ReplyRecord {
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  /** Another name for `name`, or what was asked for. */
  readonly value: { readonly alias: string } | { readonly data: Data };
}

/** However much a domain's owner writes: what is kept of one answer. */
export const MAX_RECORDS = 32;

/**
 * Pointers that are followed for one name. It has 127 labels at most (RFC 1035 §2.3.4), so whoever
 * compresses needs no more; a stranger could chain thousands, and have each record walk along them.
 */
const MAX_POINTERS = 127;

const TYPES = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33 } as const;
const IN = 1;
const HEADER = 12;

/** A query with recursion desired, or `undefined` when no host or service can have the name. */
export function encodeQuery(id: number, { name, type }: Question): Uint8Array | undefined {
  const labels = name.split(".");
  // RFC 1035 §2.3.4: labels of 63 octets at most, names of 255 with their lengths and the root.
  if (name.length > 253 || !labels.every((label) => /^[a-z0-9_-]{1,63}$/.test(label))) {
    return undefined;
  }
  const bytes = new Uint8Array(HEADER + name.length + 2 + 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, 0x0100);
  view.setUint16(4, 1);
  let at = HEADER;
  for (const label of labels) {
    bytes[at++] = label.length;
    at += new TextEncoder().encodeInto(label, bytes.subarray(at)).written;
  }
  view.setUint16(at + 1, TYPES[type]);
  view.setUint16(at + 3, IN);
  return bytes;
}

/**
 * Reads what came for a query. `"foreign"`: it answers something else, so it is not from whom we
 * asked (RFC 5452 §9.1: id and question have to match). `"malformed"`: it is an answer and unreadable.
 */
export function readReply(
  bytes: Uint8Array,
  id: number,
  { name, type }: Question,
): Reply | "foreign" | "malformed" {
  let ours = false;
  try {
    const reader = new Reader(bytes);
    const isReply = reader.u16() === id;
    const flags = reader.u16();
    const [questions, answers, authorities] = [reader.u16(), reader.u16(), reader.u16()];
    reader.skip(2);
    // A response (QR) to a standard query (opcode 0).
    if (!isReply || (flags & 0xf800) !== 0x8000 || questions !== 1) return "foreign";
    ours = reader.name() === name && reader.u16() === TYPES[type] && reader.u16() === IN;
    if (!ours) return "foreign";
    const head = { rcode: flags & 0xf, truncated: (flags & 0x0200) !== 0 };
    // What a truncated answer holds is not read: it is asked for again.
    if (head.truncated) return { ...head, answers: [], absence: undefined };
    return { ...head, ...readSections(reader, type, answers, authorities) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return ours ? "malformed" : "foreign";
  }
}

function readSections(
  reader: Reader,
  type: RecordType,
  answers: number,
  authorities: number,
): Pick<Reply, "answers" | "absence"> {
  const kept: ReplyRecord[] = [];
  let absence: number | undefined;
  for (let i = 0; i < answers + authorities; i++) {
    const owner = reader.at;
    reader.skipName();
    const found = reader.u16();
    const known = reader.u16() === IN;
    const ttl = seconds(reader.u32());
    const length = reader.u16();
    const end = reader.at + length;
    if (known && i >= answers && found === TYPES.SOA) {
      // RFC 2308 §5: "the minimum of the MINIMUM field of the SOA record and the TTL of the SOA itself".
      absence = Math.min(ttl, reader.soaMinimum());
    } else if (
      known && i < answers && kept.length < MAX_RECORDS &&
      (found === TYPES.CNAME || found === TYPES[type])
    ) {
      const value = found === TYPES.CNAME ? { alias: reader.name() } : { data: reader.data(type) };
      // Only a name that is wanted is put together: a small message can have many long ones.
      kept.push({ name: reader.nameAt(owner), ttl, value });
    } else reader.skip(length);
    if (reader.at !== end) throw new RangeError("a record has another length than it says");
  }
  return { answers: kept, absence };
}

/** RFC 2181 §8: a time to live with its highest bit set is none. */
function seconds(ttl: number): number {
  return ttl > 0x7fff_ffff ? 0 : ttl;
}

/** Reads forwards; what is not there is a RangeError, as of a DataView. */
class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.#view.getUint16(this.at - 2);
  }

  u32(): number {
    this.at += 4;
    return this.#view.getUint32(this.at - 4);
  }

  skip(length: number): void {
    this.at += length;
    if (this.at > this.#bytes.length) throw new RangeError("the message ends before its record");
  }

  /** Moves behind a name, which ends with an empty label or with a pointer. */
  skipName(): void {
    for (let length; (length = this.u8()) !== 0;) {
      if (length >= 0xc0) return this.skip(1);
      if (length > 63) throw new RangeError("a label is too long");
      this.skip(length);
    }
  }

  /** The name at another place. */
  nameAt(at: number): string {
    const back = this.at;
    this.at = at;
    const name = this.name();
    this.at = back;
    return name;
  }

  /** A name in lower case; bytes that host names have not stand as `\ddd` (RFC 1035 §5.1). */
  name(): string {
    const labels: string[] = [];
    let total = 1;
    let pointers = 0;
    /** Where to go on after the first pointer. */
    let after: number | undefined;
    let start = this.at;
    for (;;) {
      const length = this.u8();
      if (length === 0) break;
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.u8();
        after ??= this.at;
        // RFC 1035 §4.1.4: "a prior occurrence", so a chain of pointers comes to an end.
        if (target >= start) throw new RangeError("a compressed name points forwards");
        if (++pointers > MAX_POINTERS) throw new RangeError("a name has too many pointers");
        this.at = start = target;
        continue;
      }
      total += length + 1;
      if (length > 63 || total > 255) throw new RangeError("a name is too long");
      let label = "";
      for (let i = 0; i < length; i++) label += character(this.u8());
      labels.push(label);
    }
    if (after !== undefined) this.at = after;
    return labels.join(".");
  }

  data<T extends RecordType>(type: T): Data<T>;
  data(type: RecordType): Data {
    switch (type) {
      case "A":
        return [this.u8(), this.u8(), this.u8(), this.u8()].join(".");
      case "AAAA": {
        const groups = Array.from({ length: 8 }, () => this.u16().toString(16));
        // The one spelling of RFC 5952, with "::" where it belongs.
        return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
      }
      case "SRV":
        return {
          priority: this.u16(),
          weight: this.u16(),
          port: this.u16(),
          target: this.name(),
        };
    }
  }

  /** Two names and four numbers come before it (RFC 1035 §3.3.13). */
  soaMinimum(): number {
    this.skipName();
    this.skipName();
    this.skip(16);
    return seconds(this.u32());
  }
}

function character(byte: number): string {
  const text = String.fromCharCode(byte).toLowerCase();
  return /[a-z0-9_-]/.test(text) ? text : `\\${String(byte).padStart(3, "0")}`;
}
