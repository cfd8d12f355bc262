// What every page tells of its Strophe connection; Converse has one too.
const { tell } = globalThis;

/** Tells of everything on the wire. Returns what asks for the last reason of a log-in that failed. */
export function tellTraffic(connection) {
  // Older ones do not say why a password was refused.
  let refusal = "unknown";
  connection.rawInput = (text) => {
    refusal = /<failure\b[^>]*>\s*<([^\s\/>]+)/.exec(text)?.[1] ?? refusal;
    tell("traffic", text);
  };
  connection.rawOutput = (text) => tell("traffic", text);
  return () => refusal;
}

/** Tells of messages and of others' presence, from now on. */
export function tellStanzas(connection) {
  const { jid } = connection;
  const onMessage = (message) => {
    tell(
      "message",
      message.getAttribute("from"),
      message.getAttribute("id") ?? "",
      text(message, "body"),
    );
    return true;
  };
  const onPresence = (presence) => {
    const from = presence.getAttribute("from");
    const available = presence.getAttribute("type") === null;
    if (from !== jid) tell("presence", from, available, text(presence, "status"));
    return true;
  };
  connection.addHandler(onMessage, null, "message");
  connection.addHandler(onPresence, null, "presence");
}

function text(stanza, name) {
  return stanza.getElementsByTagName(name)[0]?.textContent ?? "";
}
