import assert from "node:assert/strict";
import { whyUnreadable } from "../../src/config/kinds.ts";
import { assertMistake, CERTIFICATE, load, mistakesOf } from "../support/configuration.ts";

Deno.test("whole numbers of the wrong type or out of range are mistakes that name the range", () => {
  const right = "write a whole number from 1 to 3600";
  const wrong: [string, string][] = [
    ['"60"', '"60" is not a whole number'],
    ["60.0", "60 is not a whole number"],
    ["true", "true is not a whole number"],
    ["[60]", "a list is not a whole number"],
    ["{}", "a table is not a whole number"],
    ["1979-05-27", "a date is not a whole number"],
    ["0", "0 is out of range"],
    ["3601", "3601 is out of range"],
    ["99999999999999999999", "99999999999999999999 is out of range"],
  ];
  for (const [value, what] of wrong) {
    assert.deepEqual(mistakesOf(`\nbosh.max_wait = ${value}`), [
      `2: bosh.max_wait: ${what}; ${right}`,
    ]);
  }
  assert.equal(load("bosh.max_wait = 3600").bosh.maxWait, 3_600_000);
});

Deno.test("booleans, words and text of the wrong type are mistakes", () => {
  assertMistake('open_proxy = "yes"', /^1: open_proxy: "yes" is neither true nor false; /);
  assertMistake(
    "log.level = 3",
    /^1: log\.level: 3 is not known here; write "debug", "info", "warn" or "error"$/,
  );
  assertMistake('log.format = "xml"', /"xml" is not known here; write "text" or "json"$/);
  assertMistake("bosh.path = 1", /^1: bosh\.path: 1 is not text; write it in quotes$/);
  assertMistake(
    '[[listen]]\nserver = "node"',
    /^2: listen\[0\]\.server: "node" is not known here; write "deno" or "sockets"$/,
  );
});

Deno.test("long values are cut in messages", () => {
  const [mistake] = mistakesOf(`log.level = "${"x".repeat(5000)}"`);
  assert(mistake!.length < 200, mistake);
});

Deno.test("lists report each wrong or repeated element with its own line", () => {
  assert.deepEqual(mistakesOf('[[listen]]\nserve = [\n  "bosh",\n  "xmpp",\n  "bosh",\n]'), [
    '4: listen[0].serve[1]: "xmpp" is not known here; write "bosh", "websocket", "discovery", "health", "metrics" or "admin"',
    '5: listen[0].serve[2]: "bosh" is there twice; leave one of them out',
  ]);
  assertMistake("[[listen]]\nserve = []", /^2: listen\[0\]\.serve: an empty list serves nothing; /);
  assertMistake('[[listen]]\nserve = "bosh"', /^2: listen\[0\]\.serve: "bosh" is not a list; /);
});

Deno.test("listen addresses are IP addresses in any spelling, or localhost", () => {
  const address = (text: string) => {
    const at = load(`[[listen]]\naddress = "${text}"`).listen[0]!.at;
    return "address" in at ? at.address : undefined;
  };
  assert.equal(address("0:0:0:0:0:0:0:1"), "::1");
  assert.equal(address("127.8.9.10"), "127.8.9.10");
  assert.equal(address("localhost"), "localhost");
  for (const wrong of ["example.org", "[::1]", "127.1", "", "fe80::1%eth0", "*"]) {
    const [mistake] = mistakesOf(`[[listen]]\naddress = "${wrong}"`);
    assert.match(mistake!, /^2: listen\[0\]\.address: ".*" is not an IP address; write one/);
  }
});

Deno.test("paths of unix sockets fit the address of a socket", () => {
  assert.deepEqual(load(`[[listen]]\nunix = "/${"a".repeat(106)}"`).listen[0]!.at, {
    unix: `/${"a".repeat(106)}`,
  });
  assertMistake(
    `[[listen]]\nunix = "/${"é".repeat(54)}"`,
    /cannot name a unix socket; write a path of 1 to 107 bytes/,
  );
  assertMistake('[[listen]]\nunix = ""', /cannot name a unix socket/);
  assertMistake('[[listen]]\nunix = "a\\u0000b"', /cannot name a unix socket/);
});

Deno.test("URL paths begin with a slash, and may be equal", () => {
  assertMistake(
    'bosh.path = "http-bind"',
    /^1: bosh\.path: "http-bind" does not begin with a slash; write "\/http-bind"$/,
  );
  for (const path of ["/a b", "/a?b", "/a#b", "/ä", "/%zz", "/a\\\\b"]) {
    assertMistake(`websocket.path = "${path}"`, /^1: websocket\.path: .* is not a URL path; /);
  }
  const { bosh, websocket } = load('bosh.path = "/xmpp/"\nwebsocket.path = "/xmpp"');
  assert.deepEqual([bosh.path, websocket.path], ["/xmpp", "/xmpp"]);
  assert.equal(load('bosh.path = "/"').bosh.path, "/");
});

Deno.test("origins come out as browsers send them", () => {
  const { allowedOrigins } = load(`http.allowed_origins = [
    "https://Chat.Example.org", "https://b.example:443", "http://c.example:8080", "http://[::1]:3000",
    "https://bücher.example", "capacitor://localhost", "moz-extension://ABC-1",
  ]`).http;
  assert.deepEqual(allowedOrigins, [
    "https://chat.example.org",
    "https://b.example",
    "http://c.example:8080",
    "http://[::1]:3000",
    "https://xn--bcher-kva.example",
    "capacitor://localhost",
    "moz-extension://abc-1",
  ]);
  assert.deepEqual(load("http.allowed_origins = []").http.allowedOrigins, []);
});

Deno.test("origins that no browser sends are mistakes", () => {
  const wrong = [
    "example.org",
    "https://example.org/",
    "https://example.org/chat",
    "https://example.org?a",
    "https://user@example.org",
    "https://",
    "https://*.example.org",
    "https://a.example:99999",
    "null",
    "",
    "//example.org",
  ];
  const mistakes = mistakesOf(`http.allowed_origins = ${JSON.stringify(wrong)}`);
  assert.equal(mistakes.length, wrong.length, mistakes.join("\n"));
  for (const mistake of mistakes) {
    assert.match(mistake, /^1: http\.allowed_origins\[\d+\]: .* is not an origin; /);
  }
  assertMistake(
    'http.allowed_origins = ["*", "https://a.example"]',
    /"\*" allows every origin already/,
  );
});

Deno.test("headers that cannot be sent or are ours are mistakes, each on its line", () => {
  const mistakes = mistakesOf(`[http.headers]
X-Fine = "yes; really, \\"so\\""
"Bad Name" = "x"
X-Number = 1
X-Injected = "a\\r\\nSet-Cookie: b"
X-Blank = " a"
X-Latin = "é"
Content-Type = "text/html"
CONTENT-LENGTH = "1"
content-encoding = "gzip"
transfer-encoding = "chunked"
connection = "close"
date = "now"
upgrade = "h2c"
Access-Control-Allow-Origin = "*"
Sec-WebSocket-Protocol = "xmpp"
x-fine = "again"
`);
  assert.deepEqual(mistakes.map((mistake) => mistake.split(": ")[0]), [
    ..."3 4 5 6 7 8 9 10 11 12 13 14 15 16 17".split(" "),
  ]);
  assert.equal(mistakes[1], "4: http.headers.X-Number: 1 is not text; write it in quotes");
  assert.match(
    mistakes[2]!,
    /^5: http\.headers\.X-Injected: "a\\r\\nSet-Cookie: b" cannot be sent; /,
  );
  assert.match(
    mistakes[5]!,
    /^8: http\.headers\.Content-Type: this header is set by Causeway itself; /,
  );
  assert.match(mistakes[14]!, /^17: http\.headers\.x-fine: this header is there twice; /);
  assertMistake("http.headers = []", /^1: http\.headers: a list is not a table; /);
  assert.deepEqual(load('http.headers = { X-A = "", x-b = "c d" }').http.headers, {
    "X-A": "",
    "x-b": "c d",
  });
});

Deno.test("connect takes xmpp:// and xmpps:// with a port or its default, one or several", () => {
  const connect = (toml: string) => load(`domains.a.connect = ${toml}`).domains.get("a")!.connect;
  const org = { direct: false, hostname: "example.org", port: 5222 };
  assert.deepEqual(connect('"xmpp://example.org"'), [org]);
  assert.deepEqual(connect('"xmpps://Example.org"'), [{ ...org, direct: true, port: 5223 }]);
  assert.deepEqual(connect('"XMPP://192.0.2.1:15222"'), [
    { direct: false, hostname: "192.0.2.1", port: 15222 },
  ]);
  assert.deepEqual(connect('"xmpps://[2001:DB8::0:1]"'), [
    { direct: true, hostname: "2001:db8::1", port: 5223 },
  ]);
  assert.deepEqual(connect('"xmpp://[::1]:1"'), [{ direct: false, hostname: "::1", port: 1 }]);
  assert.deepEqual(connect('["xmpp://[::1]:1", "xmpp://example.org"]'), [
    { direct: false, hostname: "::1", port: 1 },
    org,
  ]);
  assert.deepEqual(connect("[]"), []);
  assertMistake('domains.a.connect = ["xmpp://a", "b"]', /"b" does not begin with xmpp:/);
});

Deno.test("ranges of addresses are taken with and without a length, in one spelling", () => {
  const proxies = (list: string) => load(`http.trusted_proxies = [${list}]`).http.trustedProxies;
  assert.deepEqual(proxies('"192.0.2.1", "10.0.0.0/8", "FD00:0::/8", "::1"'), [
    "192.0.2.1/32",
    "10.0.0.0/8",
    "fd00::/8",
    "::1/128",
  ]);
  for (
    const wrong of ["10.0.0.0/33", "::1/129", "10.0.0/8", "example.org", "10.0.0.0/", "", "/8"]
  ) {
    assertMistake(`http.trusted_proxies = ["${wrong}"]`, /is not a range of IP addresses; write "/);
  }
});

Deno.test("a fingerprint is taken as openssl writes it, and in other spellings", () => {
  const digits = "0123456789abcdef".repeat(4);
  const colons = digits.toUpperCase().match(/../g)!.join(":");
  for (const written of [digits, colons, `SHA256:${digits}`, `sha-256=${colons}`]) {
    const { fingerprints } = load(`upstream.fingerprints = ["${written}"]`).upstream;
    assert.deepEqual(fingerprints, [digits], written);
  }
  for (const wrong of [digits.slice(1), `${digits}0`, "md5:00", digits.replace("0", "g")]) {
    assertMistake(`upstream.fingerprints = ["${wrong}"]`, /not a SHA-256 fingerprint; .*"openssl /);
  }
});

Deno.test("W-032 public addresses are URLs that are encrypted", () => {
  const { domains } = load(
    `domains.a.bosh_url = "https://a.example/bosh"\ndomains.a.websocket_url = "wss://a.example:5281/ws?x=1"`,
  );
  const { boshUrl, websocketUrl } = domains.get("a")!;
  assert.deepEqual([boshUrl, websocketUrl], [
    "https://a.example/bosh",
    "wss://a.example:5281/ws?x=1",
  ]);
  for (const wrong of ["http://a/b", "a/b", "https://u:p@a/", "https://a/#x", "https:// a/"]) {
    assertMistake(`discovery.bosh_url = "${wrong}"`, /what clients can be sent to; write https:/);
  }
  assertMistake('discovery.websocket_url = "ws://a/"', /write wss:\/\/host/);
  assertMistake('websocket.see_other_uri = "ws://a/"', /write wss:\/\/host/);
});

Deno.test("connect refuses what is not such a URL", () => {
  const wrong: [string, RegExp][] = [
    ["example.org:5222", /does not begin with xmpp:/],
    ["tcp://example.org", /does not begin with xmpp:/],
    ["xmpp://", /names no host/],
    ["xmpp://::1", /names no host \(an IPv6 address stands in brackets\)/],
    ["xmpp://[example.org]", /names no host/],
    ["xmpp://exa mple.org", /names no host/],
    ["xmpp://example.org:", /names no host/],
    ["xmpp://127.1", /names no host/],
    ["xmpp://example.org:0", /a port that is not between 1 and 65535/],
    ["xmpp://example.org:65536", /a port that is not between 1 and 65535/],
    ["xmpp://example.org/path", /has a path/],
    ["xmpp://user@example.org", /has a user name/],
  ];
  for (const [url, what] of wrong) assertMistake(`domains.a.connect = "${url}"`, what);
});

Deno.test("nameserver takes an IP address with or without a port", () => {
  const nameserver = (text: string) => load(`upstream.nameserver = "${text}"`).upstream.nameserver;
  assert.deepEqual(nameserver("127.0.0.1"), { address: "127.0.0.1", port: 53 });
  assert.deepEqual(nameserver("127.0.0.1:5353"), { address: "127.0.0.1", port: 5353 });
  assert.deepEqual(nameserver("::1"), { address: "::1", port: 53 });
  assert.deepEqual(nameserver("[::1]"), { address: "::1", port: 53 });
  assert.deepEqual(nameserver("[::1]:5353"), { address: "::1", port: 5353 });
  for (
    const wrong of [
      "dns.example.org",
      "127.0.0.1:0",
      "127.0.0.1:99999",
      "",
      "[127.0.0.1]:53",
      "1.2.3",
    ]
  ) {
    assertMistake(`upstream.nameserver = "${wrong}"`, /is not the address of a name server; /);
  }
});

Deno.test("U-009 ca comes out as the certificates of the file, which is relative to the configuration", () => {
  const files = {
    "/etc/ca/own.pem": `Subject: somebody\n${CERTIFICATE}-----BEGIN PRIVATE KEY-----\nAA==\n`,
  };
  const certificates = load('upstream.ca = "ca/own.pem"', { files }).upstream.ca;
  assert.equal(certificates?.trim(), CERTIFICATE.slice(CERTIFICATE.indexOf("-----BEGIN")).trim());
  assert.equal(load('upstream.ca = "/etc/ca/own.pem"', { files }).upstream.ca, certificates);
  const domain = load('[domains.a]\nca = "../etc/ca/own.pem"', { files }).domains.get("a");
  assert.equal(domain?.ca, certificates);
});

Deno.test("ca that is missing, no certificate or damaged is a mistake", () => {
  const files = {
    "/etc/key.pem": "-----BEGIN PRIVATE KEY-----",
    "/etc/bad.pem": CERTIFICATE.replace("MII", "AAA"),
  };
  assertMistake(
    '\nupstream.ca = "no.pem"',
    /^2: upstream\.ca: cannot read "no\.pem": there is no such file; /,
    { files },
  );
  assertMistake('upstream.ca = "key.pem"', /^1: upstream\.ca: "key\.pem" holds no certificate; /, {
    files,
  });
  assertMistake(
    'upstream.ca = "bad.pem"',
    /^1: upstream\.ca: certificate 1 in "bad\.pem" is damaged; /,
    { files },
  );
});

Deno.test("whyUnreadable() says the cure for each way in which a file cannot be read", () => {
  assert.match(whyUnreadable(new Deno.errors.NotFound("x")), /no such file/);
  assert.match(whyUnreadable(new Deno.errors.PermissionDenied("x")), /owner or mode/);
  assert.match(whyUnreadable(new Deno.errors.NotCapable("x")), /--allow-read/);
  assert.match(whyUnreadable(new Deno.errors.IsADirectory("x")), /directory/);
  assert.match(whyUnreadable(new Error("out of luck")), /^out of luck/);
});
