import assert from "node:assert/strict";
import { loadConfig } from "../../src/config/load.ts";
import { authority, certificate } from "../support/certificates/certificates.ts";
import { assertMistake, CERTIFICATE, load, mistakesOf } from "../support/configuration.ts";

const tls = 'tls = { cert = "cert.pem", key = "key.pem" }';
const tlsFiles = {
  "/etc/cert.pem": certificate("example.test").cert,
  "/etc/key.pem": certificate("example.test").key,
};
const listen = (address: string) => `[[listen]]\naddress = "${address}"\n`;

Deno.test("S-006 a listener beyond loopback that serves every domain is refused", () => {
  for (
    const address of ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:127.0.0.1", "128.0.0.1"]
  ) {
    const [mistake, ...more] = mistakesOf(listen(address));
    assert.deepEqual(more, []);
    assert.match(
      mistake!,
      /^2: listen\[0\]\.address: .* is not loopback and no domains are named, so every domain is served: /,
    );
    assert.match(
      mistake!,
      /write a table \[domains\."example\.org"\] .*\(or --domain example\.org\), or open_proxy = true/,
    );
  }
});

Deno.test('S-006 a listener beyond loopback is refused with [domains."*"] beside others', () => {
  const toml = `${listen("0.0.0.0")}[domains."example.org"]\n[domains."*"]\n`;
  assertMistake(
    toml,
    /^2: listen\[0\]\.address: 0\.0\.0\.0 is not loopback and domain "\*" \(line 4\) serves every domain: /,
  );
});

Deno.test("S-006 a listener beyond loopback is accepted with named domains, or when open_proxy says so", () => {
  for (const address of ["0.0.0.0", "::", "192.0.2.1"]) {
    load(`${listen(address)}[domains."example.org"]\n[domains."*.example.org"]\n`);
    load(`open_proxy = true\n${listen(address)}`);
    load(`open_proxy = true\n${listen(address)}[domains."*"]`);
    load(listen(address), { flags: { domain: ["example.org"] } });
    load(listen(address), { env: { CAUSEWAY_DOMAINS: "example.org" } });
    load(listen(address), { env: { CAUSEWAY_OPEN_PROXY: "true" } });
  }
});

Deno.test("S-006 loopback and unix sockets may serve every domain", () => {
  for (const address of ["127.0.0.1", "127.255.0.9", "::1", "0::1", "localhost"]) {
    load(listen(address));
  }
  load('[[listen]]\nunix = "/run/causeway.sock"\n[domains."*"]');
});

Deno.test("S-006 listeners of environment and flags are refused in the same way", () => {
  assertMistake(undefined, /^CAUSEWAY_LISTEN: 0\.0\.0\.0 is not loopback/, {
    env: { CAUSEWAY_LISTEN: "0.0.0.0:80" },
  });
  assertMistake(undefined, /^--listen: :: is not loopback/, {
    flags: { listen: ["127.0.0.1:1", "[::]:80"] },
  });
  assertMistake(`${listen("0.0.0.0")}[domains.a]`, /domain "\*" \(--domain\) serves every domain/, {
    flags: { domain: ["*"] },
  });
});

Deno.test("S-006 every such listener is told, and a mistake elsewhere in it hides nothing", () => {
  const toml = `${listen("0.0.0.0")}port = 99_999\n${listen("::")}port = 80`;
  assert.deepEqual(mistakesOf(toml).map((mistake) => mistake.split(" ").slice(0, 2).join(" ")), [
    "2: listen[0].address:",
    "3: listen[0].port:",
    "5: listen[1].address:",
  ]);
});

Deno.test("an open proxy is not suspected when the domains or open_proxy have mistakes themselves", () => {
  assertMistake(`${listen("0.0.0.0")}[domains."a b"]`, /^3: domains\."a b": /);
  assertMistake(`open_proxy = "true"\n${listen("0.0.0.0")}`, /^1: open_proxy: /);
});

Deno.test("unix together with address or port is a contradiction", () => {
  assertMistake(
    '[[listen]]\nport = 80\nunix = "/x"',
    /^3: listen\[0\]\.unix: a unix socket has neither address nor port nor fd; /,
  );
  assertMistake('[[listen]]\naddress = "127.0.0.1"\nunix = "/x"', /^3: listen\[0\]\.unix: /);
});

Deno.test("a socket that is inherited has no other place", () => {
  const domains = '[domains."example.org"]';
  const { at, server } = load(`[[listen]]\nfd = 3\n${domains}`).listen[0]!;
  assert.deepEqual([at, server], [{ fd: 3 }, "sockets"]);
  assertMistake(
    `[[listen]]\nport = 80\nfd = 3\n${domains}`,
    /^3: listen\[0\]\.fd: a socket that is inherited has its address already; leave out address and port$/,
  );
  assertMistake(
    `[[listen]]\nunix = "/x"\nfd = 3\n${domains}`,
    /^2: listen\[0\]\.unix: a unix socket has neither address nor port nor fd; /,
  );
  assertMistake(
    `[[listen]]\nfd = 3\n[[listen]]\nfd = 3\n${domains}`,
    /^4: listen\[1\]\.fd: fd 3 is taken by the listener in line 1; .* another fd$/,
  );
  assertMistake(`[[listen]]\nfd = 2\n${domains}`, /2 is out of range; write a whole number from 3/);
});

Deno.test("S-006 a socket that is inherited is one that strangers reach", () => {
  assertMistake(
    "[[listen]]\nfd = 3",
    /^2: listen\[0\]\.fd: whoever reaches fd 3 is unknown and no domains are named, so every domain/,
  );
  load("open_proxy = true\n[[listen]]\nfd = 3");
});

Deno.test("what a listener is served by depends on who reaches it, unless it is written", () => {
  const server = (keys: string) =>
    load(`open_proxy = true\n[[listen]]\n${keys}`, { files: tlsFiles }).listen[0]!.server;
  for (const keys of ["", 'address = "::1"', 'address = "localhost"', 'unix = "/x"']) {
    assert.equal(server(keys), "deno", keys);
    assert.equal(server(`${keys}\nserver = "sockets"`), "sockets", keys);
    assert.equal(server(`${keys}\n${tls}`), "sockets", keys);
  }
  for (const keys of ['address = "::"', 'address = "192.0.2.1"', "fd = 3"]) {
    assert.equal(server(keys), "sockets", keys);
  }
  assert.equal(server('address = "::"\nserver = "deno"'), "deno");
});

Deno.test('server = "deno" takes no key that only "sockets" knows', () => {
  const keys = { fd: "3", max_connections: "1", max_connections_per_address: "1" };
  for (const [name, value] of Object.entries(keys)) {
    assertMistake(
      `open_proxy = true\n[[listen]]\nserver = "deno"\n${name} = ${value}`,
      new RegExp(
        `^4: listen\\[0\\]\\.${name}: server = "deno" knows no ${name}; write server = "sockets"$`,
      ),
    );
  }
  const files = { ...tlsFiles, "/etc/clients.pem": authority() };
  for (
    const [written, what] of [
      [`${tls}\nunix = "/x"`, "tls: .* knows no tls on a unix socket"],
      [`${tls.replace("= ", "= [")}, ${tls.replace("tls = ", "")}]`, "tls: .* no choice among .*"],
      [`${tls}\nclient_ca = "clients.pem"`, "client_ca: .* knows no client_ca"],
    ] as const
  ) {
    assertMistake(
      `[[listen]]\nserver = "deno"\n${written}`,
      new RegExp(`^[34]: listen\\[0\\]\\.${what}; write server = "sockets"$`),
      { files },
    );
  }
  const { listen: [listener] } = load(`[[listen]]\nserver = "deno"\n${tls}`, { files });
  assert.equal(listener!.server, "deno");
  assert.equal(listener!.tls!.certificates.length, 1);
  assertMistake(
    "[[listen]]\nmax_connections = 1",
    /^2: .*: server = "deno" \(which is the default here\) knows no max_connections; /,
  );
  const { maxConnections, maxConnectionsPerAddress } = load(
    '[[listen]]\nserver = "sockets"\nmax_connections = 5\nmax_connections_per_address = 2',
  ).listen[0]!;
  assert.deepEqual([maxConnections, maxConnectionsPerAddress], [5, 2]);
});

Deno.test("client_ca goes with tls only, and comes out with it", () => {
  const files = { ...tlsFiles, "/etc/clients.pem": authority() };
  const clients = 'client_ca = "clients.pem"';
  const { listen: [listener] } = load(`[[listen]]\n${tls}\n${clients}`, { files });
  assert.equal(listener!.tls!.clientCa, authority());
  assert.deepEqual(listener!.tls!.files, Object.keys(files));
  assertMistake(
    `[[listen]]\n${clients}`,
    /^2: listen\[0\]\.client_ca: clients show certificates in TLS only; write tls too, /,
    { files },
  );
});

Deno.test("listeners that cannot both be opened are a contradiction", () => {
  const two = (a: string, b: string) => `open_proxy = true\n[[listen]]\n${a}\n[[listen]]\n${b}`;
  assertMistake(
    two("port = 80", "port = 80"),
    /^5: listen\[1\]\.port: 127\.0\.0\.1:80 is taken by the listener in line 2; /,
  );
  assertMistake(
    two('address = "::1"', 'address = "0::1"'),
    /^5: listen\[1\]\.address: \[::1\]:5280 is taken/,
  );
  assertMistake(two('address = "::"', 'address = "192.0.2.1"'), /192\.0\.2\.1:5280 is taken/);
  assertMistake(two('address = "127.0.0.1"', 'address = "0.0.0.0"'), /0\.0\.0\.0:5280 is taken/);
  assertMistake(
    two('unix = "/x"', 'unix = "/x"'),
    /^5: listen\[1\]\.unix: \/x is taken .* choose another path$/,
  );
  assertMistake(two("", ""), /^4: listen\[1\]: 127\.0\.0\.1:5280 is taken/);
  assertMistake(undefined, /^--listen: 127\.0\.0\.1:80 is taken by another --listen; /, {
    flags: { listen: ["127.0.0.1:80", "127.0.0.1:80"] },
  });
  load(two("port = 0", "port = 0"));
  load(two("port = 80", "port = 81"));
  load(two('address = "0.0.0.0"', 'address = "::1"'));
  load(two('unix = "/x"', "port = 80"));
});

Deno.test("B-032 domain_default must be served", () => {
  const toml = 'domain_default = "example.net"\n[domains."example.org"]\n[domains."*.example.net"]';
  assertMistake(
    toml,
    /^1: domain_default: example\.net is not among the domains served; write \[domains\."example\.net"\], or name one of: example\.org, \*\.example\.net$/,
  );
  assertMistake('[domains."example.org"]', /^CAUSEWAY_DOMAIN_DEFAULT: /, {
    env: { CAUSEWAY_DOMAIN_DEFAULT: "a" },
  });
  assert.equal(
    load('domain_default = "A.Example.net."\n[domains."*.example.net"]').domainDefault,
    "a.example.net",
  );
  assert.equal(load('domain_default = "example.net"').domainDefault, "example.net");
  assert.equal(load(toml, { flags: { domain: ["example.net"] } }).domainDefault, "example.net");
  assert.equal(load('domain_default = ""\n[domains."example.org"]').domainDefault, undefined);
});

Deno.test("direct TLS contradicts tls = never in the same table", () => {
  assertMistake(
    '[domains.a]\nconnect = "xmpps://b"\ntls = "never"',
    /^2: domains\.a\.connect: xmpps:\/\/ is TLS from the first byte, and tls = "never" forbids it; /,
  );
  load('upstream.tls = "never"\n[domains.a]\nconnect = "xmpps://b"');
});

Deno.test("B-055 polling must be smaller than inactivity", () => {
  assertMistake(
    "[bosh]\npolling = 60",
    /^2: bosh\.polling: a client that keeps to polling \(60\) .* inactivity \(60\); /,
  );
  assertMistake("[bosh]\ninactivity = 5", /^2: bosh\.inactivity: /);
  load("[bosh]\ninactivity = 6");
});

Deno.test("queued_bytes must hold the largest stanza", () => {
  assertMistake(
    "[limits]\nqueued_bytes = 300_000",
    /^2: limits\.queued_bytes: a stanza of server_stanza \(1048576\) would not fit/,
  );
  assertMistake(
    "[limits]\nclient_stanza = 5_000_000",
    /^2: limits\.client_stanza: a stanza of client_stanza/,
  );
  load("[limits]\nqueued_bytes = 1_048_576");
});

Deno.test("a client certificate and its key go together, in [upstream] and in each domain", () => {
  const { cert, key } = certificate("example.test");
  const files = (path: string) =>
    path.endsWith("c.pem") ? cert : path.endsWith("k.pem") ? key : "x";
  const readFile = (path: string) => path === "f.toml" ? toml : files(path);
  let toml = 'upstream.client_cert = "c.pem"\nupstream.client_key = "k.pem"';
  assert.equal(loadConfig({ file: "f.toml", readFile }).upstream.identity?.key, key);
  toml = 'upstream.client_cert = "c.pem"\n[domains.a]\nclient_key = "k.pem"';
  assert.throws(() => loadConfig({ file: "f.toml", readFile }), /client_cert: .*write both/);
  toml = '[domains.a]\nclient_key = "k.pem"';
  assert.throws(() => loadConfig({ file: "f.toml", readFile }), /a\.client_key: .*write both/);
  toml = 'upstream.client_key = "other.pem"\nupstream.client_cert = "c.pem"';
  assert.throws(() => loadConfig({ file: "f.toml", readFile }), /holds no private key; write/);
});

Deno.test("a client certificate goes together with fingerprints or no authority of one's own", () => {
  const { cert, key } = certificate("client");
  const files: Readonly<Record<string, string>> = {
    "other.pem": certificate("unknown").key,
    "c.pem": cert,
    "k.pem": key,
    "ca.pem": authority(),
  };
  const check = (toml: string) => {
    const readFile = (path: string) => path === "f.toml" ? toml : files[path] ?? "";
    return loadConfig({ file: "f.toml", readFile });
  };
  const identity = 'client_cert = "c.pem"\nclient_key = "k.pem"';
  const print = `fingerprints = ["${"00".repeat(32)}"]`;
  const both = /ca does not go together with client_cert; .* fingerprints, .* DENO_CERT$/;
  assert.throws(() => check(`[upstream]\nca = "ca.pem"\n${identity}`), both);
  assert.throws(() => check(`[upstream]\nca = "ca.pem"\n[domains.a]\n${identity}`), both);
  assert.throws(() => check(`[upstream]\n${identity}\n[domains.a]\nca = "ca.pem"`), both);
  check(`[upstream]\n${identity}`);
  assert.throws(
    () => check(`[upstream]\n${identity}\n[domains.a]\nclient_key = "other.pem"`),
    /^ConfigError: .*a\.client_key: client_key is not the key of client_cert; /s,
  );
  check(`[upstream]\nca = "ca.pem"\n${print}\n${identity}`);
  check(`[upstream]\n${identity}\n[domains.a]\nca = "ca.pem"\n${print}`);
});

Deno.test("a certificate is verified, known by its fingerprint, or any", () => {
  const print = `fingerprints = ["${"00".repeat(32)}"]`;
  assertMistake(`[upstream]\nverify = false\n${print}`, /leave one or the other out$/);
  assertMistake(`[domains.a]\nverify = false\n${print}`, /^2: domains\.a\.verify: /);
  const files = { "/etc/ca.pem": CERTIFICATE };
  assertMistake('[domains.a]\nca = "ca.pem"\nverify = false', /leave one or the other out$/, {
    files,
  });
  // Who says how a domain is known means it to be verified.
  for (const own of [print, 'ca = "ca.pem"']) {
    const { domains } = load(`[upstream]\nverify = false\n[domains.a]\n${own}\n[domains.b]`, {
      files,
    });
    assert.deepEqual([domains.get("a")!.verify, domains.get("b")!.verify], [true, false]);
  }
  load(`[upstream]\n${print}\n[domains.a]\nverify = false\nfingerprints = []`);
});

Deno.test("the operator's side is served to nobody without a secret, and a secret is a line of some length", () => {
  const toml = (admin: string) => `[[listen]]\nserve = ["bosh", "admin"]\n[admin]\n${admin}`;
  const wrong = mistakesOf(toml(""));
  assert.deepEqual(wrong, [
    '2: listen[0].serve: "admin" is served to nobody without a secret; write password_file or token_file in [admin], ' +
    'the path of a file with one, or leave "admin" out',
  ]);
  const files = {
    "/etc/short": "1234567\n",
    "/etc/two": "12345678\n12345678\n",
    "/etc/right": "pass word\n",
  };
  for (const name of ["short", "two"]) {
    assertMistake(
      toml(`password_file = "${name}"`),
      /^4: admin.password_file: "\w+" holds no secret; write one line/,
      { files },
    );
  }
  const { admin } = load(toml('password_file = "right"\ntoken_file = "right"'), { files });
  assert.deepEqual([admin.password, admin.token], ["pass word", "pass word"]);
  // A secret in place of its path is not told.
  const [mistake] = mistakesOf(toml('token_file = "sesame-open-up"'));
  assert.match(mistake!, /^4: admin.token_file: there is no such file/);
  assert(!mistake!.includes("sesame"));
});
