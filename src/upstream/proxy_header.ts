/**
 * The PROXY protocol, from the sender's side: the first bytes of a connection, which tell the XMPP
 * server whose session it is (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
 *
 * The header has the client's address as the source. The destination is the place that was dialled
 * where that is an address of the same family, because where the client came in is not known to
 * every listener; servers look at the source alone.
 */
import { addressBytes } from "../config/address_bytes.ts";

/** One end of a connection; an address that is not one stands for an end that is not known. */
export interface Endpoint {
  /** IPv4 or IPv6 as text, without brackets. */
  readonly address: string;
  readonly port: number;
}

/** The header in version 1 (text, §2.1) or 2 (binary, §2.2). */
export function proxyHeader(
  version: 1 | 2,
  source: Endpoint,
  destination: Endpoint,
): Uint8Array<ArrayBuffer> {
  const from = addressBytes(source.address);
  if (from === undefined) return version === 1 ? encoder.encode("PROXY UNKNOWN\r\n") : LOCAL;
  const there = addressBytes(destination.address);
  const to = there?.length === from.length ? there : new Uint8Array(from.length);
  if (version === 1) {
    const family = from.length === 4 ? "TCP4" : "TCP6";
    return encoder.encode(
      `PROXY ${family} ${written(from)} ${written(to)} ${source.port} ${destination.port}\r\n`,
    );
  }
  const header = new Uint8Array(16 + 2 * from.length + 4);
  header.set(SIGNATURE);
  header[12] = VERSION_2 | COMMAND_PROXY;
  header[13] = from.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  const view = new DataView(header.buffer);
  view.setUint16(14, header.length - 16);
  header.set(from, 16);
  header.set(to, 16 + from.length);
  view.setUint16(16 + 2 * from.length, source.port);
  view.setUint16(18 + 2 * from.length, destination.port);
  return header;
}

/**
 * §2.1 wants IPv6 "in its hexadecimal form"; without any shortening it is the one spelling that every
 * parser reads.
 */
function written(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const groups = [];
  for (let at = 0; at < 16; at += 2) {
    groups.push(((address[at]! << 8) | address[at + 1]!).toString(16));
  }
  return groups.join(":");
}

const encoder = new TextEncoder();
const SIGNATURE = encoder.encode("\r\n\r\n\0\r\nQUIT\n");
const VERSION_2 = 0x20;
const COMMAND_PROXY = 0x01;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/** §2.2: with the command LOCAL "the receiver must use the real connection endpoints". */
const LOCAL = Uint8Array.of(...SIGNATURE, VERSION_2, 0, 0, 0);
