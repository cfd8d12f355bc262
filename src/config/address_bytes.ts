/**
 * IP addresses as bytes. Nothing of the platform's is in it: `node:net` would come with everything
 * that it imports, into a process that may have no other use for it.
 */

/** The 4 bytes of an IPv4 address or the 16 of an IPv6 address; `undefined`: it is none. */
export function addressBytes(address: string): Uint8Array | undefined {
  return address.includes(":") ? parseIpv6(address) : parseIpv4(address);
}

/** Whether two texts are one address, however they spell it and whatever zone they name. */
export function sameAddress(one: string, other: string): boolean {
  return addressBytes(one)?.join() === addressBytes(other)?.join();
}

/** Whether the first `length` bits of both are the same. */
export function startsWith(address: Uint8Array, prefix: Uint8Array, length: number): boolean {
  const whole = length >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== prefix[i]) return false;
  const rest = length & 7;
  return rest === 0 || (((address[whole] ?? 0) ^ (prefix[whole] ?? 0)) >> (8 - rest)) === 0;
}

function parseIpv4(text: string): Uint8Array | undefined {
  // Every session asks several times what an address is, so nothing is made but what is returned.
  if (text.length > LONGEST_IPV4) return undefined;
  const bytes = new Uint8Array(4);
  let at = 0;
  let digits = 0;
  for (let i = 0; i <= text.length; i++) {
    const digit = i < text.length ? text.charCodeAt(i) - ZERO : END_OF_NUMBER;
    if (digit === END_OF_NUMBER) {
      if (digits === 0 || at === 4) return undefined;
      at++;
      digits = 0;
      continue;
    }
    const value = (digits === 0 ? 0 : bytes[at]! * 10) + digit;
    // No leading zero: some read such a number as octal.
    if (digit < 0 || digit > 9 || value > 255 || (digits > 0 && bytes[at] === 0)) return undefined;
    bytes[at] = value;
    digits++;
  }
  return at === 4 ? bytes : undefined;
}

const LONGEST_IPV4 = "255.255.255.255".length;
const ZERO = "0".charCodeAt(0);
/** What a dot is when digits are counted from zero; the end of the text stands for one. */
const END_OF_NUMBER = ".".charCodeAt(0) - ZERO;

function parseIpv6(text: string): Uint8Array | undefined {
  // A zone says which interface; the address is what it is without it.
  const halves = text.replace(/%.*$/, "").split("::");
  // An IPv4 address can stand at the very end only.
  if (halves.length > 2 || (halves.length === 2 && halves[0]?.includes("."))) return undefined;
  const head = parseGroups(halves[0] ?? "");
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "") : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** The bytes of groups such as `2001:db8` or `ffff:192.0.2.1`. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (group.includes(".") && i === groups.length - 1) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === undefined) return undefined;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes.length <= 16 ? bytes : undefined;
}
