import { decided, must, mustNot, note, type Section, should } from "./conformance_entry.ts";

/** What a connection manager must do for the safety of its clients, its operator and everybody else. */
export const security: readonly Section[] = [
  {
    title: "Security (XEP-0124 §7.1, §19, and what was decided)",
    entries: [
      should("S-001", "plain HTTP only on loopback, unless the operator says otherwise"),
      must("S-002", "a session of TLS is not served in the clear, and lives on"),
      must("S-003", "sids cannot be guessed; a wrong sid, rid and key are answered alike"),
      decided("S-004", "no sid, key, credential or stanza in logs, errors and events"),
      decided("S-005", "a session may move between addresses"),
      must("S-006", "strangers cannot have us connect to what only we can reach"),
      decided("S-007", "limits for everything that a stranger can make us hold"),
      must("S-008", "hostile XML and slow bodies stall nobody else"),
      decided("S-009", "no answer is a page or a script of somebody else's"),
      decided("S-010", "no ambient authority, so that pages of all origins may read"),
      decided(
        "S-011",
        "nothing is decompressed, nothing is compressed",
        "Compression is off in this version: a compressed request is refused, and that is tested.",
      ),
      decided("S-012", "our own client certificate logs nobody in"),
      decided("S-013", "the client's address by trusted proxies only"),
      should("S-014", "the way to the server is encrypted, unless the operator says otherwise"),
      note(
        "S-015",
        "SHA-1 in key sequences is good enough; keys are compared in constant time",
        "How long a comparison takes cannot be shown by a test. A key that was guessed in part is of no use: what it is compared with was sent before.",
      ),
      decided("S-016", "no smuggled requests, no injected headers"),
      decided("S-017", "a fault ends one session, never the process"),
      mustNot("S-018", "no early data of TLS (0-RTT)"),
    ],
  },
];
