import * as kinds from "./kinds.ts";
import type { Kind } from "./kinds.ts";
import { authorityFile, serverCertificates } from "./tls_kind.ts";

/** A key of the configuration: everything that reading, checking and the example file need to know. */
export interface Key<T> {
  readonly kind: Kind<T>;
  /** In the file's units: seconds and bytes. `undefined`: the key is absent unless written. */
  readonly default: T;
  /** For a key that is absent unless written: how it could be, in TOML. */
  readonly example?: string;
  /** One line that says what it is for. */
  readonly summary: string;
}

/** The keys of one table. */
export type Section = Readonly<Record<string, Key<unknown>>>;

/** What a section's keys come to. */
export type Values<S extends Section> = {
  readonly [Name in keyof S]: S[Name] extends Key<infer T> ? T : never;
};

/** Every key there is, by table; `top` stands before the first table, `domains` is one table for each domain. */
export const sections = {
  top: {
    domain_default: key(
      kinds.domainName,
      "",
      "Domain for clients that name none. Empty: they are refused.",
    ),
    open_proxy: key(
      kinds.boolean,
      false,
      "true: listeners that other machines reach may serve every domain, for anybody.",
    ),
  },
  listen: {
    address: key(
      kinds.listenAddress,
      "127.0.0.1",
      'IP address to listen on. "::" is every address, IPv6 and IPv4.',
    ),
    port: key(
      kinds.integer(0, 65_535),
      5280,
      "TCP port. 0 picks a free one, and the ready line names it.",
    ),
    unix: absent(
      kinds.socketPath,
      '"/run/causeway/http.sock"',
      "Path of a unix socket to listen on, instead of address and port.",
    ),
    fd: absent(
      kinds.integer(3, 1_048_576),
      "3",
      "A listening socket that this process inherits instead; systemd passes the first as 3.",
    ),
    serve: key(
      kinds.list(
        kinds.choice(["bosh", "websocket", "discovery", "health", "metrics", "admin"]),
        (services, site) =>
          services.length > 0 ? services : site.report(
            `an empty list serves nothing; write ["bosh", "websocket"] or other services`,
          ),
      ),
      ["bosh", "websocket", "discovery", "health"],
      'What is served there. "metrics" and "admin" only where they are named.',
    ),
    server: absent(
      kinds.choice(["deno", "sockets"]),
      '"sockets"',
      'Absent: "deno" on loopback and unix sockets without tls, "sockets" everywhere else.',
    ),
    max_connections: absent(
      kinds.integer(1, 1_000_000),
      "10_000",
      'Connections at a time, with server = "sockets". Absent: 10_000.',
    ),
    max_connections_per_address: absent(
      kinds.integer(1, 1_000_000),
      "500",
      "Of those, from one address (IPv6: one /64) that is no trusted proxy. Absent: 500.",
    ),
    tls: absent(
      serverCertificates,
      '{ cert = "/etc/ssl/fullchain.pem", key = "/etc/ssl/privkey.pem" }',
      "HTTPS: PEM files of a certificate with its chain, its key, and key_password_file if it is locked.",
    ),
    client_ca: absent(
      authorityFile,
      '"/etc/ssl/client-ca.pem"',
      "PEM file of authorities: only who shows a certificate of theirs gets in. Absent: anybody.",
    ),
  },
  http: {
    trusted_proxies: key(
      kinds.list(kinds.addressRange),
      ["127.0.0.0/8", "::1/128"],
      "Whose X-Forwarded-For, Forwarded and X-Forwarded-Proto are believed: addresses and ranges.",
    ),
    allowed_origins: key(
      kinds.origins,
      ["*"],
      'Web pages that may connect: "*" for all, or origins such as "https://chat.example.org".',
    ),
    max_body: key(
      kinds.integer(1_024, 67_108_864),
      262_144,
      "Bytes of a POST. A longer one is answered 413.",
    ),
    headers: key(
      kinds.headers,
      {},
      'Headers added to every answer, such as { Strict-Transport-Security = "max-age=63072000" }.',
    ),
    head_timeout: key(
      kinds.integer(1, 300),
      10,
      "Seconds that a client has for a request's head; after connecting, for TLS and the first one.",
    ),
    body_timeout: key(kinds.integer(1, 3_600), 30, "Seconds that a client has for a body."),
    keepalive_timeout: key(
      kinds.integer(1, 3_600),
      75,
      "Seconds that a connection may be idle between two requests.",
    ),
    write_timeout: key(
      kinds.integer(1, 3_600),
      30,
      "Seconds after which a client that takes nothing of what it is sent is lost.",
    ),
  },
  bosh: {
    path: key(kinds.urlPath, "/http-bind", "URL path of BOSH, with and without a trailing slash."),
    max_wait: key(kinds.integer(1, 3_600), 60, "Seconds that a request may be held (wait)."),
    max_hold: key(kinds.integer(1, 16), 2, "Requests that may be held at a time (hold)."),
    inactivity: key(
      kinds.integer(1, 3_600),
      60,
      "Seconds that a session outlives its last request (inactivity), unless the client asks.",
    ),
    max_inactivity: key(
      kinds.integer(1, 86_400),
      160,
      "The most seconds of inactivity that a client may ask for.",
    ),
    polling: key(
      kinds.integer(0, 600),
      5,
      "Seconds that a polling client must leave between empty requests (polling).",
    ),
    overactivity: key(
      kinds.choice(["lenient", "strict"]),
      "lenient",
      '"strict" ends sessions whose empty requests follow each other faster than polling.',
    ),
    max_pause: key(
      kinds.integer(0, 86_400),
      120,
      "Seconds that a client may pause its session (maxpause). 0: no pausing.",
    ),
    max_streams: key(
      kinds.integer(1, 64),
      8,
      "Streams to XMPP servers in one session. 1: no further ones.",
    ),
    acks: key(kinds.boolean, true, "Requests and responses may be acknowledged (ack)."),
    report: key(
      kinds.boolean,
      false,
      "Tell clients that acknowledge too little what they lack (report). Some clients break.",
    ),
    script: key(
      kinds.boolean,
      true,
      'GET with ?data= and JSONP; off whenever http.allowed_origins is not "*".',
    ),
  },
  websocket: {
    path: key(
      kinds.urlPath,
      "/xmpp-websocket",
      "URL path of WebSocket, with and without a trailing slash. The BOSH path takes an Upgrade too.",
    ),
    ping_interval: key(
      kinds.integer(0, 3_600),
      30,
      "Seconds between pings; a client that answers none for two of them is lost. 0: no pings.",
    ),
    idle_timeout: key(
      kinds.integer(0, 86_400),
      0,
      "Seconds without a message or a pong, either way, that end a session. 0: none, pings suffice.",
    ),
    legacy_framing: key(
      kinds.boolean,
      true,
      "Serve clients from before RFC 7395 too, whose first message is <stream:stream>.",
    ),
    see_other_uri: absent(
      kinds.secureUrl("wss:"),
      '"wss://other.example.org/xmpp-websocket"',
      "Where clients are sent when this one shuts down.",
    ),
  },
  discovery: {
    bosh_url: absent(
      kinds.secureUrl("https:"),
      '"https://chat.example.org/http-bind"',
      "The public address of BOSH, for host-meta. Absent: as the request came in.",
    ),
    websocket_url: absent(
      kinds.secureUrl("wss:"),
      '"wss://chat.example.org/xmpp-websocket"',
      "The public address of WebSocket, for host-meta. Absent: as the request came in.",
    ),
  },
  limits: {
    sessions: key(
      kinds.integer(1, 10_000_000),
      10_000,
      "Sessions at a time, BOSH and WebSocket together.",
    ),
    sessions_per_address: key(
      kinds.integer(1, 10_000_000),
      200,
      "Of those, from one address (IPv6: one /64) that is no trusted proxy.",
    ),
    new_sessions_per_minute: key(
      kinds.integer(1, 10_000_000),
      600,
      "Sessions that such an address may open in a minute.",
    ),
    connecting: key(
      kinds.integer(1, 1_000_000),
      2_000,
      "Streams to XMPP servers that are being opened at a time.",
    ),
    lookups: key(
      kinds.integer(1, 1_000_000),
      500,
      "Names that are being looked up at a time.",
    ),
    bodies: key(
      kinds.integer(1_048_576, 1_099_511_627_776),
      67_108_864,
      "Bytes of request bodies that are being read at a time, of all clients; up to 4096 bytes are free.",
    ),
    memory: absent(
      kinds.integer(67_108_864, 1_099_511_627_776),
      "400_000_000",
      "Bytes of memory (RSS) above which nobody new is served. Absent: 70 % of the control group's.",
    ),
    unauthenticated_bytes: key(
      kinds.integer(10_000, 67_108_864),
      65_536,
      "Bytes that a client may send before it has authenticated, all in all.",
    ),
    unauthenticated_time: key(
      kinds.integer(1, 86_400),
      60,
      "Seconds that a client has to authenticate.",
    ),
    // RFC 6120 §13.12: the limit on stanzas MUST NOT be smaller than 10000 bytes.
    client_stanza: key(
      kinds.integer(10_000, 67_108_864),
      262_144,
      "Bytes of one stanza from a client.",
    ),
    server_stanza: key(
      kinds.integer(10_000, 67_108_864),
      1_048_576,
      "Bytes of one stanza from the XMPP server.",
    ),
    depth: key(kinds.integer(16, 1_000), 100, "Elements inside one another."),
    queued_bytes: key(
      kinds.integer(10_000, 1_073_741_824),
      4_194_304,
      "Bytes that one session may have waiting, either way.",
    ),
  },
  upstream: {
    connect_timeout: key(
      kinds.integer(1, 300),
      10,
      "Seconds for each of: name lookup, TCP, TLS, stream features.",
    ),
    tls: key(
      kinds.choice(["required", "optional", "never"]),
      "required",
      'TLS to the XMPP server: "required", "optional" (used where it is offered) or "never".',
    ),
    verify: key(
      kinds.boolean,
      true,
      "false: take any certificate, from whoever it is. Anybody in between can then read along.",
    ),
    fingerprints: key(
      kinds.list(kinds.fingerprint),
      [],
      "SHA-256 of the server's own certificate: taken as the right one, and no other is.",
    ),
    proxy_protocol: key(
      kinds.integer(0, 2),
      0,
      "1 or 2: tell the XMPP server the client's address by the PROXY protocol, of that version.",
    ),
    keepalive: key(
      kinds.integer(0, 3_600),
      60,
      "Once logged in, a stream is never silent for longer (seconds): a blank is sent. 0: none.",
    ),
    strip_channel_binding: key(
      kinds.boolean,
      false,
      "Hide what binds a login to TLS (*-PLUS): TLS ends here, so no such login can succeed.",
    ),
    allow_anonymous: key(
      kinds.boolean,
      true,
      "false: hide the SASL mechanism ANONYMOUS from clients.",
    ),
    allow_route: key(
      kinds.list(kinds.routePattern),
      [],
      'host:port patterns that a client\'s route may name, such as "*.example.org:5222" (public hosts).',
    ),
    ca: absent(
      kinds.certificateFile,
      '"/etc/ssl/private-ca.pem"',
      "PEM file of certificates trusted besides the system's own; relative to this file.",
    ),
    client_cert: absent(
      kinds.certificateFile,
      '"/etc/ssl/causeway.pem"',
      "PEM file of the certificate that we show to the XMPP server, and its chain.",
    ),
    client_key: absent(
      kinds.privateKeyFile,
      '"/etc/ssl/causeway.key"',
      "PEM file of that certificate's private key, without a password.",
    ),
    nameserver: absent(
      kinds.nameserver,
      '"127.0.0.1:53"',
      "DNS server to ask, instead of the system's.",
    ),
  },
  domains: {
    connect: absent(
      kinds.oneOrList(kinds.connectUrl),
      '"xmpp://10.0.0.5:5222"',
      "Where its XMPP server is, or a list, tried in order. xmpps:// is direct TLS. Absent: SRV.",
    ),
  },
  drain: {
    delay: key(
      kinds.integer(0, 3_600),
      0,
      "Seconds from SIGTERM until sessions are ended; readiness says no: load balancers take note.",
    ),
    timeout: key(
      kinds.integer(1, 3_600),
      20,
      "Seconds that all sessions and their XMPP servers have then to end in good order.",
    ),
  },
  admin: {
    path: key(
      kinds.urlPath,
      "/admin",
      "URL path of the admin page; what it works with lies below.",
    ),
    username: key(kinds.userName, "admin", "Name for basic authentication."),
    password_file: absent(
      kinds.secretFile,
      '"/etc/causeway/admin.password"',
      "File with the password for basic authentication. Absent: there is none.",
    ),
    token_file: absent(
      kinds.secretFile,
      '"/etc/causeway/admin.token"',
      "File with a bearer token, for programs. Absent: there is none.",
    ),
    allowed_categories: key(
      kinds.list(kinds.choice(["session", "stat", "metric", "server"])),
      ["session", "stat", "metric", "server"],
      "Categories of the GraphQL schema that may be asked.",
    ),
  },
  log: {
    level: key(
      kinds.choice(["debug", "info", "warn", "error"]),
      "info",
      'The least that is logged: "debug", "info", "warn" or "error".',
    ),
    format: key(kinds.choice(["text", "json"]), "text", '"text", or "json" for one object a line.'),
    trace: key(
      kinds.list(kinds.addressRange),
      [],
      'Clients whose stanzas are logged, at level "debug" and without passwords: addresses and ranges.',
    ),
  },
} as const;

/** Keys of `[domains."NAME"]`: its own, and any key of `[upstream]` and `[discovery]`, for this domain. */
export const domainKeys = {
  ...sections.domains,
  ...sections.upstream,
  ...sections.discovery,
} as const;

/** Tables that are there once, whose keys environment variables can set. */
export const singleSections = [
  "top",
  "http",
  "bosh",
  "websocket",
  "discovery",
  "limits",
  "upstream",
  "drain",
  "admin",
  "log",
] as const;

export type SingleSection = typeof singleSections[number];

function key<T>(kind: Kind<T>, value: NoInfer<T>, summary: string): Key<T> {
  return { kind, default: value, summary };
}

function absent<T>(kind: Kind<T>, example: string, summary: string): Key<T | undefined> {
  return { kind, default: undefined, example, summary };
}
