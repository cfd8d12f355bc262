import {
  decided,
  may,
  must,
  mustNot,
  type Section,
  should,
  shouldNot,
} from "./conformance_entry.ts";

/** What a connection manager must do to be found, to find an XMPP server, and on its stream. */
export const upstream: readonly Section[] = [
  {
    title: "Discovery: what is published (XEP-0156)",
    entries: [
      must("D-001", "host-meta as XRD, and host-meta.json"),
      must("D-002", "a link for each transport, the same in both"),
      must("D-003", "https and wss only, and only over HTTPS"),
      shouldNot("D-004", "never two links of one kind"),
      decided("D-005", "content types, and CORS for everybody on these addresses"),
      decided("D-006", "the domain is the Host that was asked; an unknown one is 404"),
      shouldNot("D-007", "nothing of SRV or TXT in it"),
    ],
  },
  {
    title: "Discovery: how servers are found (RFC 6120 §3.2, XEP-0368)",
    entries: [
      must("D-008", "SRV of _xmpp-client and _xmpps-client, unless a place is configured"),
      should("D-009", "both as one list by priority and weight, each with its own way to TLS"),
      must("D-010", "all addresses of a target, then the next target"),
      must("D-011", "a target of . means that there is no service"),
      should("D-012", "addresses of the domain itself only where there is no SRV record"),
      decided("D-013", "A-labels, a deadline, answers cached for their time"),
    ],
  },
  {
    title: "Upstream: the stream header (RFC 6120 §4)",
    entries: [
      must("U-001", "the header, literally"),
      must("U-002", "`to` is the session's domain on every header"),
      must("U-003", "header and features are waited for; pre-1.0 servers are refused"),
      must("U-004", "what is no client's stream is refused"),
    ],
  },
  {
    title: "Upstream: TLS (RFC 6120 §5, XEP-0368, RFC 7590)",
    entries: [
      must(
        "U-005",
        "STARTTLS before anything of the client; clear text behind <proceed/> is fatal",
      ),
      must("U-006", "after TLS everything is forgotten"),
      should("U-007", "the policies required, optional and never"),
      must("U-008", "direct TLS: SNI, ALPN, no STARTTLS inside"),
      must("U-009", "certificates are verified against the XMPP domain"),
      may("U-010", "a private authority or a pinned certificate for a domain"),
      must("U-011", "TLS 1.2 at the least"),
      mustNot("U-012", "no compression of our own"),
    ],
  },
  {
    title: "Upstream: the data path (RFC 6120 §4, §11)",
    entries: [
      must("U-013", "restricted XML is neither written nor accepted"),
      must("U-014", "only well-formed UTF-8 is forwarded"),
      must("U-015", "order is preserved both ways"),
      shouldNot("U-016", "no `from` before TLS, and then only one of the domain"),
      mustNot("U-017", "no white space during negotiation; keepalive after login"),
      decided("U-018", "the infoset stays what it was"),
      decided("U-019", "the limit on stanzas of the server"),
      must("U-020", "closing: our tag, then reading until theirs"),
      decided("U-021", "a new document begins where the server begins it"),
      must("U-022", "see-other-host before login is followed, within bounds"),
      decided(
        "U-023",
        "a half-closed upstream is lost; TCP keepalive",
        "That the platform sends keepalive probes is set, and not seen from outside.",
      ),
      decided("U-024", "one connection for a stream, never used again"),
    ],
  },
  {
    title: "Upstream: extensions that pass through",
    entries: [
      decided("U-025", "channel binding passes unchanged, or is hidden whole"),
      must("U-026", "stream management passes; unclean ends leave it resumable"),
      shouldNot("U-027", "with stream management nothing is bounced"),
      must("U-028", "SASL2 and bind2 are opaque"),
      must("U-029", "client state indication passes, and is never made up"),
      decided("U-030", "ANONYMOUS passes, or is hidden"),
      mustNot("U-031", "only client streams are made"),
    ],
  },
];
