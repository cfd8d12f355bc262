/** What both floors say, and the little that they look at. */

/** Begins a stream to the stub. */
export const HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>";

const MESSAGE_END = "</message>";

/** A wrapper around what came from the stub. */
export function bodyOf(xml: string, attributes = ""): string {
  const inner = xml.startsWith("<?xml")
    ? xml.slice(xml.indexOf(">", xml.indexOf("<stream:")) + 1)
    : xml;
  return "<body xmlns='http://jabber.org/protocol/httpbind' " +
    `xmlns:stream='http://etherx.jabber.org/streams'${attributes}>${inner}</body>`;
}

/** No message is cut off. */
export function isWhole(xml: string): boolean {
  return !xml.startsWith("<message") || xml.endsWith(MESSAGE_END);
}

/** Hands out one message a call, as RFC 7395 wants it; returns the beginning of one that was cut off. */
export function eachMessage(xml: string, send: (message: string) => void): string {
  let at = 0;
  while (xml.startsWith("<message", at)) {
    const end = xml.indexOf(MESSAGE_END, at) + MESSAGE_END.length;
    if (end < MESSAGE_END.length) return xml.slice(at);
    send(end - at === xml.length ? xml : xml.slice(at, end));
    at = end;
  }
  if (at < xml.length) send(xml.slice(at));
  return "";
}

/** What a request asks for, by looking for it in its text. */
export interface Asked {
  /** `undefined`: a session. */
  readonly sid: string | undefined;
  readonly terminates: boolean;
  /** What goes to the stub. */
  readonly xml: string;
}

export function readBody(text: string): Asked {
  const end = text.indexOf(">");
  const head = text.slice(0, end);
  const sid = head.indexOf(" sid='");
  return {
    sid: sid < 0 ? undefined : head.slice(sid + 6, head.indexOf("'", sid + 6)),
    terminates: head.includes("type='terminate'"),
    xml: sid < 0 || head.includes("xmpp:restart")
      ? HEADER
      : text[end - 1] === "/"
      ? ""
      : text.slice(end + 1, text.lastIndexOf("</body")),
  };
}

export function creationAttributes(sid: string): string {
  return ` sid='${sid}' wait='60' hold='1' requests='2'`;
}

export function sayReady(): void {
  Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
}
