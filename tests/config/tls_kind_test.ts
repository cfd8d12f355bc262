import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { namesOf } from "../../src/config/tls_kind.ts";
import { authority, certificate, clientAuthority } from "../support/certificates/certificates.ts";
import { assertMistake, load, mistakesOf } from "../support/configuration.ts";

const example = certificate("example.test");
const wildcard = certificate("wildcard");

/** A private key as PEM that `password` opens. */
function locked(key: string, type: "pkcs8" | "pkcs1" | "sec1", password: string): string {
  return createPrivateKey(key).export({
    type,
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: password,
  }) as string;
}

const files = {
  "/etc/chain.pem": `${example.cert}${authority()}`,
  "/etc/key.pem": example.key,
  "/etc/wildcard.pem": wildcard.cert,
  "/etc/wildcard.key": wildcard.key,
  "/etc/locked.key": locked(example.key, "pkcs8", "pässword"),
  "/etc/locked-sec1.key": locked(example.key, "sec1", "pässword"),
  "/etc/rsa.pem": certificate("rsa.test").cert,
  "/etc/rsa.key": certificate("rsa.test").key,
  "/etc/locked-pkcs1.key": locked(certificate("rsa.test").key, "pkcs1", "pässword"),
  "/etc/password": "pässword\n",
  "/etc/wrong": "password",
  "/etc/authority.pem": authority(),
  "/etc/backwards.pem": `${authority()}${example.cert}`,
  "/etc/ed448.key": generateKeyPairSync("ed448").privateKey.export({
    type: "pkcs8",
    format: "pem",
  }) as string,
  "/etc/rsa1024.key": generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  }) as string,
  "/etc/secp256k1.key": generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  }) as string,
};

const pair = '[[listen]]\ntls = { cert = "chain.pem", key = "key.pem" }\n';
const certificates = (toml: string) => load(toml, { files }).listen[0]!.tls!.certificates;

Deno.test("tls comes out as the certificates and keys of its files, in every shape of TOML", () => {
  const one = certificates(pair);
  assert.equal(one.length, 1);
  assert.equal(one[0]!.cert, files["/etc/chain.pem"]);
  assert.equal(
    createPrivateKey(one[0]!.key).equals(createPrivateKey(example.key)),
    true,
  );
  const table = '[[listen]]\n[listen.tls]\ncert = "chain.pem"\nkey = "key.pem"\n';
  assert.deepEqual(certificates(table), one);
  const list = '[[listen]]\n[[listen.tls]]\ncert = "chain.pem"\nkey = "key.pem"\n' +
    '[[listen.tls]]\ncert = "wildcard.pem"\nkey = "wildcard.key"\n';
  assert.deepEqual(certificates(list).map(({ cert }) => namesOf(cert)), [
    ["example.test", "xmpp.example.test"],
    ["*.example.test"],
  ]);
});

Deno.test("a key that is locked with a password is unlocked by key_password_file", () => {
  const [plain] = certificates(pair);
  for (const key of ["locked.key", "locked-sec1.key"]) {
    const tls = (password: string) =>
      `[[listen]]\n[listen.tls]\ncert = "chain.pem"\nkey = "${key}"\n${password}`;
    assert.deepEqual(certificates(tls('key_password_file = "password"')), [plain]);
    assertMistake(
      tls(""),
      /^4: listen\[0\]\.tls\.key: "locked.*\.key" is locked with a password; write key_password_file, /,
      { files },
    );
    assertMistake(
      tls('key_password_file = "wrong"'),
      /^4: listen\[0\]\.tls\.key: the password in key_password_file does not unlock "locked.*"; /,
      { files },
    );
    assertMistake(
      tls('key_password_file = "nowhere"'),
      /^5: listen\[0\]\.tls\.key_password_file: (?!.*nowhere)there is no such file, or /,
      { files },
    );
  }
  const rsa = '[[listen]]\ntls = { cert = "rsa.pem", key = "rsa.key" }\n';
  const lockedRsa = rsa.replace("rsa.key", "locked-pkcs1.key");
  assert.deepEqual(
    certificates(lockedRsa.replace(" }", ', key_password_file = "password" }')),
    certificates(rsa),
  );
  const needless = pair.replace("}", ', key_password_file = "password" }');
  assert.deepEqual(certificates(needless), [plain]);
  assert.deepEqual(
    load(needless, { files }).listen[0]!.tls!.files.toSorted(),
    ["/etc/chain.pem", "/etc/key.pem", "/etc/password"],
  );
});

Deno.test("what is wrong with a certificate or its key is told with its line and cure", () => {
  const wrong: [string, RegExp][] = [
    ["tls = true", /^2: listen\[0\]\.tls: true is not a table; write \{ cert = /],
    ["tls = []", /^2: listen\[0\]\.tls: an empty list is no certificate; write /],
    ['tls = ["chain.pem"]', /^2: listen\[0\]\.tls\[0\]: "chain\.pem" is not a table; write /],
    ['tls = { cert = "chain.pem" }', /^2: listen\[0\]\.tls: .* without its key, .*; add key$/],
    ['tls = { key = "key.pem" }', /^2: listen\[0\]\.tls: .*; add cert$/],
    [
      'tls = { cert = "chain.pem", key = "wildcard.key" }',
      /tls\.key: this is not the key of the first certificate in cert; /,
    ],
    [
      'tls = { cert = "backwards.pem", key = "key.pem" }',
      /let the server's own certificate come first in its file, then its chain$/,
    ],
    ['tls = { cert = "no.pem", key = "key.pem" }', /tls\.cert: cannot read "no\.pem": /],
    ['tls = { cert = "key.pem", key = "key.pem" }', /tls\.cert: "key\.pem" holds no certificate; /],
    [
      'tls = { cert = "chain.pem", key = "chain.pem" }',
      /tls\.key: "chain\.pem" holds no private key; /,
    ],
    ['tls = { cert = "chain.pem", key = 5 }', /tls\.key: 5 is not text; /],
    [
      'tls = { cert = "chain.pem", key = "ed448.key" }',
      /"ed448\.key" holds a key of type ed448; use RSA of 2048 .*, EC .*, or Ed25519$/,
    ],
    ['tls = { cert = "chain.pem", key = "rsa1024.key" }', /an RSA key of 1024 bits; use /],
    ['tls = { cert = "chain.pem", key = "secp256k1.key" }', /an EC key of secp256k1; use /],
  ];
  for (const [toml, expected] of wrong) assertMistake(`[[listen]]\n${toml}`, expected, { files });
});

Deno.test("each mistake in several certificates has its own line", () => {
  const toml = `[[listen]]
[[listen.tls]]
cert = "chain.pem"
certs = "x"
[[listen.tls]]
cert = "no.pem"
key = "key.pem"
passphrase = "secret"
[[listen.tls]]
cert = "authority.pem"
key = "key.pem"`;
  assert.deepEqual(
    mistakesOf(toml, { files }).map((mistake) => mistake.split(": ").slice(0, 3).join(": ")),
    [
      "2: listen[0].tls[0]: a certificate is of no use without its key, nor the key without it; add key",
      "4: listen[0].tls[0].certs: no such key; did you mean cert?",
      '6: listen[0].tls[1].cert: cannot read "no.pem"',
      "8: listen[0].tls[1].passphrase: no such key; known here",
      "11: listen[0].tls[2].key: this is not the key of the first certificate in cert; write the two " +
      "that were made together, and let the server's own certificate come first in its file, then its chain",
    ],
  );
});

Deno.test("a certificate that no name leads to is a mistake, unless it is the first", () => {
  const nameless = certificate("nameless");
  const more = { ...files, "/etc/n.pem": nameless.cert, "/etc/n.key": nameless.key };
  const [named, other] = [
    '{ cert = "chain.pem", key = "key.pem" }',
    '{ cert = "n.pem", key = "n.key" }',
  ];
  load(`[[listen]]\ntls = [${other}, ${named}]`, { files: more });
  assertMistake(
    `[[listen]]\ntls = [\n${named},\n${other}]`,
    /^4: listen\[0\]\.tls\[1\]: no client can ask for this certificate: it has no DNS name; /,
    { files: more },
  );
});

Deno.test("client_ca takes authorities of X.509 version 3 only, for others need no key", () => {
  const clients = (pem: string) => ({ ...files, "/etc/clients.pem": pem });
  const toml = `${pair}client_ca = "clients.pem"`;
  const two = `${authority()}${clientAuthority()}`;
  assert.equal(load(toml, { files: clients(two) }).listen[0]!.tls!.clientCa, two);
  assertMistake(
    toml,
    /^3: listen\[0\]\.client_ca: certificate 2 in "clients\.pem" is not of X\.509 version 3, .*; leave/,
    { files: clients(`${authority()}${certificate("version1").cert}`) },
  );
  assertMistake(toml, /"clients\.pem" holds no certificate; /, { files: clients("") });
});

Deno.test("namesOf() takes the DNS names of a subjectAltName, and nothing else", () => {
  assert.deepEqual(namesOf(certificate("self-signed").cert), ["example.test"]);
  // Its common name is client.
  assert.deepEqual(namesOf(certificate("client").cert), ["causeway.test"]);
  assert.deepEqual(namesOf(certificate("version1").cert), []);
});
