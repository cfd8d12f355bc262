import assert from "node:assert/strict";
import { changedKeys, wantsRestart } from "../../src/commands/changed_keys.ts";
import { type Key, sections } from "../../src/config/keys.ts";
import { certificate } from "../support/certificates/certificates.ts";
import { load } from "../support/configuration.ts";

const files = {
  "/etc/a.pem": certificate("example.test").cert,
  "/etc/a.key": certificate("example.test").key,
  "/etc/b.pem": certificate("other.test").cert,
  "/etc/b.key": certificate("other.test").key,
  "/etc/ca.pem": certificate("example.test").cert,
  "/etc/secret": "not the one before\n",
};

/** A value of the key that is not its default, in TOML; for those where no rule of thumb has one. */
const OTHERS: Readonly<Record<string, string>> = {
  "domain_default": '"example.org"',
  "listen.address": '"127.0.0.2"',
  "listen.unix": '"/run/causeway.sock"',
  "listen.fd": '3\nserver = "sockets"',
  "listen.serve": '["bosh"]',
  "listen.server": '"sockets"',
  "listen.max_connections": '5\nserver = "sockets"',
  "listen.max_connections_per_address": '5\nserver = "sockets"',
  "http.trusted_proxies": '["10.0.0.0/8"]',
  "http.allowed_origins": '["https://example.org"]',
  "http.headers": '{ X-Name = "value" }',
  "bosh.overactivity": '"strict"',
  "websocket.see_other_uri": '"wss://example.org/"',
  "upstream.tls": '"optional"',
  "upstream.fingerprints": `["${"a".repeat(64)}"]`,
  "upstream.allow_route": '["*.example.org:5222"]',
  "upstream.ca": '"ca.pem"',
  "upstream.client_cert": '"a.pem"\nclient_key = "a.key"',
  "upstream.client_key": '"a.key"\nclient_cert = "a.pem"',
  "admin.username": '"somebody"',
  "admin.password_file": '"secret"',
  "admin.token_file": '"secret"',
  "admin.allowed_categories": '["stat"]',
  "log.level": '"warn"',
  "log.format": '"json"',
  "log.trace": '["192.0.2.0/24"]',
};

function other(path: string, key: Key<unknown>): string {
  if (Object.hasOwn(OTHERS, path)) return OTHERS[path]!;
  switch (typeof key.default) {
    case "boolean":
      return String(!key.default);
    case "number":
      return String(key.default + (path === "upstream.proxy_protocol" ? 1 : 2));
    case "string":
      return `"${key.default}-other"`;
    default:
      return key.example!;
  }
}

Deno.test("each key that changes is told by its name in the file, and listeners alone want a restart", () => {
  for (const [section, keys] of Object.entries(sections)) {
    // Of listeners' TLS the next test tells, of domains the last.
    if (section === "domains") continue;
    for (
      const [name, key] of Object.entries(keys).filter(([name]) =>
        !/^(?:tls|client_ca)$/.test(name)
      )
    ) {
      const path = section === "top" ? name : `${section}.${name}`;
      const own = section === "top" ? "" : section === "listen" ? "[[listen]]\n" : `[${section}]\n`;
      const value = other(path, key);
      const sockets = value.includes("sockets") && name !== "server" ? 'server = "sockets"' : "";
      const before = load(section === "listen" ? own + sockets : "", { files });
      const told = changedKeys(
        before,
        load(`${name === "fd" ? "open_proxy = true\n" : ""}${own}${name} = ${value}`, { files }),
      );
      // One goes with the other.
      const expected = path.replace("listen.", "listen[0].").replace("client_key", "client_cert");
      assert.ok(told.includes(expected), `${path}: ${told}`);
      // A listener that is elsewhere has left keys behind, and JSONP is off where origins are named.
      assert.ok(
        told.length === 1 || /^listen\.(?:unix|fd)$|^http\.allowed_origins$/.test(path),
        `${path}: ${told}`,
      );
      assert.equal(wantsRestart(expected), section === "listen", path);
    }
  }
});

Deno.test("a listener's certificates and authorities are replaced, and to switch TLS on or off is a restart", () => {
  const tls = (name: string, more = "") =>
    load(`[[listen]]\ntls = { cert = "${name}.pem", key = "${name}.key" }\n${more}`, { files });
  const plain = load('[[listen]]\nserver = "sockets"');
  assert.deepEqual(changedKeys(tls("a"), tls("b")), ["listen[0].tls"]);
  assert.deepEqual(changedKeys(tls("a"), tls("a", 'client_ca = "ca.pem"')), [
    "listen[0].client_ca",
  ]);
  assert.deepEqual(changedKeys(plain, tls("a")), ["listen[0]"]);
  assert.deepEqual(changedKeys(plain, load("[[listen]]\nport = 1\n[[listen]]")), ["listen"]);
  const all = ["listen[0].tls", "listen[0].client_ca", "listen[0]", "listen"];
  assert.deepEqual(all.map(wantsRestart), [false, false, true, true]);
});

Deno.test("a domain that comes, goes or changes is told by its name", () => {
  const before = load('[domains."a"]\n[domains."b"]\n[domains."c"]');
  const after = load('[domains."b"]\nkeepalive = 5\n[domains."c"]\n[domains."d"]');
  assert.deepEqual(changedKeys(before, after), ['domains."a"', 'domains."b"', 'domains."d"']);
  assert.deepEqual(changedKeys(before, before), []);
});
