/** How binding an entry is: what the specification says, or what was decided where it is silent. */
export type Level = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY" | "decided" | "note";

export interface Entry {
  readonly id: string;
  readonly level: Level;
  /** What it is about, in a few words. */
  readonly title: string;
  /** Why no test covers it, or a part of it. */
  readonly reason?: string;
}

export interface Section {
  readonly title: string;
  readonly entries: readonly Entry[];
}

/** What a connection manager must do for BOSH clients. A letter for each group, numbers in order. */
export const sections: readonly Section[] = [
  {
    title: "BOSH: HTTP (XEP-0124 §5)",
    entries: [
      must("B-001", "HTTP/1.1 and HTTP/1.0, lasting connections and one-shot ones"),
      should("B-002", "no header or cookie is needed, unknown ones are ignored"),
      should("B-003", "answers have Content-Length in bytes and are not chunked"),
      must("B-004", "chunked requests, Expect: 100-continue"),
      should("B-005", "the request's Content-Type does not matter"),
      must("B-006", "answers are text/xml; charset=utf-8"),
      must("B-007", "`content` chooses the type of all answers"),
      may(
        "B-008",
        "compressed answers where Accept-Encoding allows",
        "Compression is off in this version: answers are always identity, and that is tested.",
      ),
      may(
        "B-009",
        "`accept` lists codings that are understood",
        "Compression is off in this version: there is no `accept`, and that is tested.",
      ),
      decided("B-010", "a Content-Encoding that is no coding is ignored"),
      decided(
        "B-011",
        "pipelined requests do not stall",
        "Only the sockets front can meet this; here: Connection: close tells clients that are known to pipeline not to.",
      ),
      decided("B-012", "a page for GET and HEAD, 405 for other methods"),
      decided("B-013", "an empty POST is 400, nonsense a bad-request"),
      decided("B-014", "the path with and without its slash, no redirect"),
      decided("B-015", "CORS preflight"),
      decided("B-016", "CORS headers on every answer, errors too"),
      decided("B-017", "Cache-Control: no-store"),
      decided(
        "B-018",
        "HTTP/2 behaves alike",
        "Tested without TLS, by prior knowledge; over TLS it needs a listener that has TLS.",
      ),
      decided("B-019", "requests over the limit are 413 and end no session"),
    ],
  },
  {
    title: "BOSH: the wrapper (XEP-0124 §6)",
    entries: [
      must("B-020", "the root is body in httpbind, under any prefix"),
      must("B-021", "answers are one well-formed, unprefixed body"),
      must("B-022", "comments, instructions, document types and entities are refused"),
      must("B-023", "CDATA, predefined entities and character references keep their meaning"),
      must("B-024", "text between payloads is refused, white space ignored"),
      must("B-025", "a request that is not well-formed harms no session"),
      must("B-026", "forbidden XML in a session's request ends the session"),
      must("B-027", "payloads of any namespace, with the declarations they need"),
      should("B-028", "UTF-8 only; a byte order mark is skipped"),
      must("B-029", "unknown attributes are ignored"),
    ],
  },
  {
    title: "BOSH: the creation request (XEP-0124 §7.1)",
    entries: [
      must("B-030", "rid from 1 to 2^53 - 1"),
      should("B-031", "every attribute but rid and to may be missing"),
      must("B-032", "a missing to is improper-addressing"),
      must(
        "B-033",
        "a domain that is not served is host-unknown",
        "host-gone is not sent: domains are not marked as formerly served.",
      ),
      decided("B-034", "domains are compared as names are"),
      must("B-035", "ver is two integers"),
      must("B-036", "wait and hold are non-negative integers, 0 is polling"),
      may("B-037", "route only where it is allowed"),
      may("B-038", "from goes upstream only under encryption"),
      must("B-039", "xml:lang goes into the upstream's header"),
      must("B-040", "only ack='1' asks for acks"),
      mustNot("B-041", "an unknown sid makes a session"),
      decided("B-042", "payloads without sid and to make no session"),
      decided("B-043", "payloads of the creation request wait for TLS"),
      must("B-044", "every creation request makes a session of its own"),
      decided("B-045", "secure='true' as it was before 1.7"),
    ],
  },
  {
    title: "BOSH: the creation response (XEP-0124 §7.2)",
    entries: [
      must("B-046", "sids are unpredictable and unique"),
      must("B-047", "requests is larger than hold"),
      must("B-048", "wait and hold at most as asked and as allowed"),
      should("B-049", "ver is the lower of both"),
      should("B-050", "polling, inactivity and maxpause are told"),
      should("B-051", "from, as soon as it is known"),
      shouldNot("B-052", "attributes of the creation response appear later"),
      decided("B-053", "it waits for the stream features"),
      must("B-054", "with wait='0' it does not"),
      should("B-055", "polling sessions may be silent longer"),
    ],
  },
  {
    title: "BOSH: order, holding, waiting (XEP-0124 §8)",
    entries: [
      must("B-056", "payloads go up in rid order, each once"),
      must("B-057", "answers go out in rid order"),
      must("B-058", "every accepted request is answered 200 with a body"),
      should("B-059", "a request is held until its wait is nearly over"),
      shouldNot("B-060", "more than hold requests are held"),
      should("B-061", "data goes out at once on the oldest held request"),
      must("B-062", "many stanzas, one body, nothing lost or split"),
      may("B-063", "the size of a body is bounded"),
      must("B-064", "empty requests are held like others"),
      must("B-065", "what waits behind a gap carries no data"),
      decided("B-066", "a gap that does not close ends the session"),
      must("B-067", "any connections, requests and one more"),
      must("B-068", "data survives the loss of a held request"),
      decided("B-069", "what comes together goes into one answer"),
    ],
  },
  {
    title: "BOSH: acknowledgements (XEP-0124 §9)",
    entries: [
      must("B-070", "ack in the creation response"),
      must("B-071", "ack is the highest rid without a gap"),
      must("B-072", "acknowledged answers are freed, others kept"),
      decided("B-073", "an ack that cannot be is ignored"),
      may("B-074", "report and time, off by default"),
      decided("B-075", "time is at most 65535"),
    ],
  },
  {
    title: "BOSH: inactivity and pauses (XEP-0124 §10)",
    entries: [
      should("B-076", "a silent session ends"),
      must("B-077", "a held request is activity"),
      decided(
        "B-078",
        "a held request whose client left is none",
        "Only the sockets front can meet this at once and for every request; here: a client that left is noticed when its request came in one read.",
      ),
      must("B-079", "unlimited silence where inactivity is not told", "inactivity is always told."),
      should("B-080", "a pause answers all requests at once"),
      should("B-081", "the pause is the inactivity until the next request"),
      decided("B-082", "a pause that is too long ends the session"),
      decided("B-083", "payloads beside a pause are forwarded"),
    ],
  },
  {
    title: "BOSH: activity and polling (XEP-0124 §11, §12)",
    entries: [
      should("B-084", "overactivity, lenient or strict"),
      should("B-085", "more than requests new ones are too many"),
      must("B-086", "repeats, payloads, pauses and ends are no overactivity"),
      may("B-087", "one rid may not be repeated for ever"),
      should("B-088", "who polls is answered at once"),
      should("B-089", "polling too often is a policy-violation"),
      mustNot("B-090", "polls that bring or get something are too many"),
      decided("B-091", "nobody gets requests='1' unasked"),
    ],
  },
  {
    title: "BOSH: the end (XEP-0124 §13)",
    entries: [
      must("B-092", "payloads of terminate go up before the stream closes"),
      should("B-093", "the oldest request gets the terminal body"),
      must("B-094", "terminate is always accepted, in its turn"),
      decided("B-095", "'terminal', ends during connection, queued data"),
      decided("B-096", "an end that nobody heard is told to the next request"),
    ],
  },
  {
    title: "BOSH: request ids and repetition (XEP-0124 §14)",
    entries: [
      should("B-097", "a repeated rid gets the same answer"),
      decided("B-098", "the first body of a rid counts"),
      should("B-099", "a held rid that is repeated moves to the new connection"),
      must("B-100", "a rid whose answer is gone ends the session"),
      must("B-101", "a rid beyond the window ends the session"),
      must("B-102", "rids are exact up to 2^53 - 1"),
      decided("B-103", "pauses and empty answers are repeated too"),
      decided("B-104", "a repetition is a sign of life; the creation too"),
      decided("B-105", "the end is told again to who asks late"),
      decided("B-106", "what one session has waiting is bounded"),
    ],
  },
  {
    title: "BOSH: key sequences (XEP-0124 §15)",
    entries: [
      may("B-107", "each key hashes to the one before"),
      must("B-108", "a wrong or missing key ends the session"),
      must("B-109", "newkey hands over to the next sequence"),
      decided("B-110", "keys are checked in rid order, repeats use none"),
      decided("B-111", "stray keys, late newkeys, every kind of request"),
    ],
  },
  {
    title: "BOSH: several streams (XEP-0124 §16)",
    entries: [
      must("B-112", "off: later to, route and from mean nothing"),
      decided("B-112a", "clients that always write to open no stream by it"),
      must("B-113", "an empty body with to opens a stream"),
      must("B-114", "payloads by stream, or to all; one stream an answer"),
      should("B-115", "streams end one by one"),
    ],
  },
  {
    title: "BOSH: errors (XEP-0124 §17)",
    entries: [
      must("B-116", "terminal conditions by their exact names"),
      shouldNot("B-117", "clients with ver get HTTP errors"),
      should("B-118", "clients without ver get three of them"),
      must("B-119", "remote-connection-failed"),
      must("B-120", "remote-stream-error only for stream errors; broken XML is a lost connection"),
      must(
        "B-121",
        "see-other-uri",
        "It is not sent until there is a listener that redirects.",
      ),
      must("B-122", "system-shutdown"),
      must("B-123", "internal-server-error for our own limits and faults"),
      decided("B-124", "which request gets the real condition"),
      must("B-125", "recoverable errors end nothing"),
      must("B-126", "stanza errors and failed logins are payloads"),
    ],
  },
  {
    title: "XMPP over BOSH (XEP-0206)",
    entries: [
      must("X-001", "features and errors under the prefix stream"),
      should("X-002", "stanzas for clients say jabber:client"),
      decided("X-003", "stanzas of clients that inherit httpbind become jabber:client"),
      decided("X-004", "prefixes of the upstream's header are declared again"),
      must("X-005", "every kind of element passes, in order"),
      must("X-006", "STARTTLS and compression are not the client's"),
      should("X-007", "xmpp:version goes upstream, 1.0 if missing"),
      must("X-008", "xbosh attributes by namespace, even undeclared"),
      should("X-009", "xmpp:version and xmpp:restartlogic literally"),
      must("X-010", "xmpp:restartlogic='true'"),
      should("X-011", "version and features together, once"),
      decided("X-012", "authid is the upstream's stream id"),
      must("X-013", "a restart is a new header on the same connection"),
      must("X-014", "the new features belong to the restart's answer"),
      must("X-015", "stream errors are told complete"),
      decided("X-016", "stanzas in the older answer, the error in the newer"),
      should("X-017", "payloads beside a restart are ignored"),
      decided("X-018", "another to in a restart is ignored"),
      must("X-019", "restarts at any time, in any pieces"),
      should("X-020", "undelivered stanzas are answered"),
      must("X-021", "SASL2: features without a restart"),
      may(
        "X-022",
        "SASL EXTERNAL by client certificates is not offered",
        "The connection manager shows servers no certificate of its own, so none offers EXTERNAL for it.",
      ),
    ],
  },
  {
    title: "Script syntax: requests by GET (XEP-0252, node-xmpp-bosh)",
    entries: [
      decided("J-000", "?data= and &callback="),
      should("J-001", "off: 404"),
      must("J-002", "the query is the body; a session keeps its syntax"),
      must("J-003", "one stanza over several requests"),
      must("J-004", "how an answer is escaped"),
      must("J-005", "types and caching of answers"),
      note("J-006", "the two forms are told apart"),
    ],
  },
];

function must(id: string, title: string, reason?: string): Entry {
  return entry(id, "MUST", title, reason);
}

function mustNot(id: string, title: string, reason?: string): Entry {
  return entry(id, "MUST NOT", title, reason);
}

function should(id: string, title: string, reason?: string): Entry {
  return entry(id, "SHOULD", title, reason);
}

function shouldNot(id: string, title: string, reason?: string): Entry {
  return entry(id, "SHOULD NOT", title, reason);
}

function may(id: string, title: string, reason?: string): Entry {
  return entry(id, "MAY", title, reason);
}

function decided(id: string, title: string, reason?: string): Entry {
  return entry(id, "decided", title, reason);
}

function note(id: string, title: string): Entry {
  return entry(id, "note", title);
}

function entry(id: string, level: Level, title: string, reason?: string): Entry {
  return { id, level, title, ...(reason === undefined ? {} : { reason }) };
}
