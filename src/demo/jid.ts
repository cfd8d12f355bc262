/** The one XMPP domain of the demo server. */
export const DOMAIN = "localhost";

/** A JID taken apart (RFC 7622 §3.1); absent parts are `""`. */
export interface Jid {
  readonly local: string;
  readonly domain: string;
  readonly resource: string;
}

/**
 * Takes a JID apart, with local part and domain in lower case; `undefined` when
 * it is malformed. Good enough for the names of a demo: it prepares no Unicode.
 */
export function parseJid(text: string): Jid | undefined {
  const parts = JID.exec(text);
  if (parts === null) return undefined;
  const [, local = "", domain = "", resource = ""] = parts;
  return { local: local.toLowerCase(), domain: domain.toLowerCase(), resource };
}

/** The bare JID of an account of this server. */
export function bareJid(local: string): string {
  return `${local}@${DOMAIN}`;
}

// RFC 7622 §3.3.1 forbids these characters in the local part; §3.2 to §3.4 allow
// 1023 bytes for each part, which 255 characters never exceed.
const JID = /^(?:([^\s"&'/:<>@]{1,255})@)?([^\s/@]{1,255})(?:\/(\P{Cc}{1,255}))?$/u;
