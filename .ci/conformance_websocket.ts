import { decided, may, must, mustNot, type Section } from "./conformance_entry.ts";

/** What a connection manager must do for WebSocket clients. A letter for each group, numbers in order. */
export const websocket: readonly Section[] = [
  {
    title: "WebSocket: handshake (RFC 7395 §3.1)",
    entries: [
      must("W-001", "of all subprotocols offered, xmpp is agreed to, once"),
      decided("W-002", "without xmpp only the older framing, which needs no subprotocol"),
      must("W-003", "a handshake is whole and of version 13, or told what is missing"),
      decided("W-004", "origins by a list, all by default"),
    ],
  },
  {
    title: "WebSocket: messages and frames (RFC 7395 §3.2, §3.3)",
    entries: [
      must(
        "W-005",
        "text in UTF-8 only: 1003 for binary, 1007 for other bytes",
        "The sockets front meets it whole. Deno's front ends a connection whose text is no UTF-8 without a close frame, so without 1007.",
      ),
      must("W-006", "each element is one message, each message one element"),
      must("W-007", "messages declare the namespaces that they use"),
      must("W-008", "what is not one element ends the session; white space alone is nothing"),
      decided("W-009", "an XML declaration is taken and removed"),
      must("W-010", "comments, instructions, document types and entities are refused"),
      must(
        "W-011",
        "fragments are put together",
        "The sockets front answers every violation of RFC 6455 with 1002. Deno's front takes unmasked frames and needlessly long lengths, and ends the connection for other violations without a close frame.",
      ),
      decided(
        "W-012",
        "a message over the limit is a policy-violation with 1009",
        "The sockets front refuses by the frame's header, before the message comes. Deno's front knows the size when it has the whole message: frames up to 64 MiB, fragments without end.",
      ),
      decided("W-013", "what has no namespace is in jabber:client"),
    ],
  },
  {
    title: "WebSocket: opening (RFC 7395 §3.4)",
    entries: [
      must("W-014", "first comes <open/>, and only then a server is asked"),
      must("W-015", "<open/> is answered with what the server's header says"),
      decided("W-016", "in one line, in the spelling that clients look for"),
      must("W-017", "<open/> and <close/> of other namespaces; <stream:stream>, where it is on"),
      must("W-018", "an error during opening comes between <open/> and <close/>"),
      decided("W-019", "to and version are looked at"),
      decided("W-020", "<open/> waits for the server; a failure has its own"),
      must("W-021", "features are a message of their own"),
      decided("W-022", "what comes too early waits, in order and bounded"),
      mustNot("W-023", "a second <open/> is a second stream"),
    ],
  },
  {
    title: "WebSocket: restart, end and errors (RFC 7395 §3.5 to §3.7)",
    entries: [
      must("W-024", "<open/> after SASL restarts the stream"),
      decided("W-025", "<open/> without SASL is a policy-violation"),
      must("W-026", "<close/> closes the server's stream first"),
      must("W-027", "the server's end is told by <close/>"),
      decided("W-028", "<close/> character by character"),
      must("W-029", "the server's stream errors arrive whole"),
      must("W-030", "a lost WebSocket leaves no closing tag"),
      must("W-031", "a lost server is remote-connection-failed"),
      may("W-032", "see-other-uri at a shutdown, never to an unencrypted address"),
      decided("W-033", "system-shutdown, <close/> and 1001"),
    ],
  },
  {
    title: "WebSocket: liveness (RFC 7395 §3.8 to §3.10)",
    entries: [
      mustNot("W-034", "white space is sent to clients"),
      may("W-035", "pings; who answers none is lost"),
      must(
        "W-036",
        "pings are answered; pings and pongs are signs of life",
        "The sockets front meets it whole. Deno's front answers pings, but its platform keeps pings and pongs to itself, so they do not count for idle_timeout.",
      ),
      decided(
        "W-037",
        "silence ends a session, where it is bounded",
        "The sockets front counts messages, pings and pongs; Deno's front messages only (W-036).",
      ),
      mustNot("W-038", "TLS is offered inside"),
      may("W-039", "stream management passes untouched"),
      decided(
        "W-040",
        "slow clients stop their server's stream, and are lost after a minute",
        "The sockets front meets it whole. Deno's front cannot cut the connection of a client that does not read: its session and its stream end, but what is queued stays until the client or its proxy goes.",
      ),
    ],
  },
];
