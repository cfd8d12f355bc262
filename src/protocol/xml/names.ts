/** The namespaces that a connection manager has to know by name. */
export const NS = {
  /** XEP-0124: the `<body/>` wrapper. */
  HTTPBIND: "http://jabber.org/protocol/httpbind",
  /** XEP-0206: `version`, `restart` and `restartlogic` on the wrapper. */
  XBOSH: "urn:xmpp:xbosh",
  /** RFC 6120 §4.8.1: `stream`, `features` and `error`. */
  STREAMS: "http://etherx.jabber.org/streams",
  /** RFC 6120 §4.9.2: the conditions inside a stream error. */
  STREAM_ERRORS: "urn:ietf:params:xml:ns:xmpp-streams",
  /** RFC 6120 §4.8.2: the content namespace of a client's stream. */
  CLIENT: "jabber:client",
  SASL: "urn:ietf:params:xml:ns:xmpp-sasl",
  SASL2: "urn:xmpp:sasl:2",
  /** XEP-0440: which kinds of channel binding there are. */
  SASL_CB: "urn:xmpp:sasl-cb:0",
  /** XEP-0078: logging in before there was SASL. */
  IQ_AUTH: "jabber:iq:auth",
  /** XEP-0077. */
  IQ_REGISTER: "jabber:iq:register",
  TLS: "urn:ietf:params:xml:ns:xmpp-tls",
  /** XEP-0138: stream compression as a feature, and as a request. */
  COMPRESS_FEATURE: "http://jabber.org/features/compress",
  COMPRESS: "http://jabber.org/protocol/compress",
  /** XEP-0198. */
  SM: "urn:xmpp:sm:3",
  /** RFC 6120 §8.3: the conditions inside a stanza error. */
  STANZA_ERRORS: "urn:ietf:params:xml:ns:xmpp-stanzas",
  /** RFC 7395: `<open/>` and `<close/>`. */
  FRAMING: "urn:ietf:params:xml:ns:xmpp-framing",
  /** Bound to the prefix `xml` by definition (Namespaces in XML §3). */
  XML: "http://www.w3.org/XML/1998/namespace",
  /** Bound to the prefix `xmlns` by definition (Namespaces in XML §3). */
  XMLNS: "http://www.w3.org/2000/xmlns/",
} as const;
