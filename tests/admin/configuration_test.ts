import assert from "node:assert/strict";
import { configurationView } from "../../src/admin/configuration.ts";
import { domainKeys, sections } from "../../src/config/keys.ts";
import { certificate } from "../support/certificates/certificates.ts";
import { configOf } from "../support/manager.ts";

type View = Record<string, Record<string, unknown>>;

const own = certificate("example.test");
const FILES = {
  "p": "password-of-mine\n",
  "t": "token-of-mine-too\n",
  cert: own.cert,
  key: own.key,
};

/** A configuration in which nothing is as it is by default. */
const TOML = `
domain_default = "a.test"
open_proxy = true
[[listen]]
address = "127.0.0.2"
port = 1
serve = ["bosh", "admin"]
server = "sockets"
max_connections = 11
max_connections_per_address = 12
tls = { cert = "cert", key = "key" }
client_ca = "cert"
[http]
trusted_proxies = ["192.0.2.0/24"]
allowed_origins = ["https://chat.example"]
max_body = 2048
headers = { X-A = "b" }
head_timeout = 1
body_timeout = 2
keepalive_timeout = 3
write_timeout = 4
[bosh]
path = "/b"
max_wait = 5
max_hold = 3
inactivity = 70
max_inactivity = 170
polling = 6
overactivity = "strict"
max_pause = 7
max_streams = 3
acks = false
report = true
script = false
[websocket]
path = "/w"
ping_interval = 8
idle_timeout = 9
legacy_framing = false
see_other_uri = "wss://o.test/w"
[discovery]
bosh_url = "https://c.test/b"
websocket_url = "wss://c.test/w"
[limits]
sessions = 13
sessions_per_address = 14
new_sessions_per_minute = 15
connecting = 16
lookups = 17
bodies = 2000000
memory = 100000000
unauthenticated_bytes = 20000
unauthenticated_time = 18
client_stanza = 20001
server_stanza = 20002
depth = 19
queued_bytes = 30000
[upstream]
connect_timeout = 20
tls = "optional"
verify = false
proxy_protocol = 2
keepalive = 21
strip_channel_binding = true
allow_anonymous = false
allow_route = ["*.r.test:5222"]
nameserver = "127.0.0.1:54"
[domains."a.test"]
connect = ["xmpp://b.test:5", "xmpps://[::1]:6"]
ca = "cert"
fingerprints = []
[domains."b.test"]
fingerprints = ["${"ab:".repeat(31)}ab"]
client_cert = "cert"
client_key = "key"
[drain]
delay = 22
timeout = 23
[admin]
path = "/ops"
username = "root"
password_file = "p"
token_file = "t"
allowed_categories = ["stat"]
[log]
level = "debug"
format = "json"
trace = ["192.0.2.9"]
`;

Deno.test("the configuration is shown with every key there is, in the file's units", () => {
  const view = configurationView(configOf(TOML, FILES)) as View;
  const byDefault = configurationView(configOf("")) as View;
  const { top, listen, domains: _, ...tables } = sections;
  for (const key of Object.keys(top)) assert.ok(key in view, key);
  for (const [table, keys] of Object.entries(tables)) {
    assert.deepEqual(Object.keys(view[table]!).sort(), Object.keys(keys).sort(), table);
    assert.deepEqual(Object.keys(byDefault[table]!).sort(), Object.keys(keys).sort(), table);
  }
  const [listener] = view.listen as unknown as Record<string, unknown>[];
  for (const key of Object.keys(listen)) {
    if (key !== "unix" && key !== "fd") assert.ok(key in listener!, key);
  }
  for (const domain of Object.values(view.domains!)) {
    assert.deepEqual(Object.keys(domain as object).sort(), Object.keys(domainKeys).sort());
  }
  // Every number is the one that was written.
  for (const [, table, body] of TOML.matchAll(/^\[(\w+)\]\n([^[]*)/gm)) {
    for (const [, key, value] of body!.matchAll(/^(\w+) = ([0-9]+|"[^"]*"|true|false)$/gm)) {
      if (key!.endsWith("_file") || key === "ca") continue;
      assert.deepEqual(view[table!]![key!], JSON.parse(value!), `${table}.${key}`);
    }
  }
  const domains = view.domains as View;
  assert.deepEqual(domains["a.test"]!.connect, ["xmpp://b.test:5", "xmpps://[::1]:6"]);
  assert.equal(domains["b.test"]!.nameserver, "127.0.0.1:54");
});

Deno.test("S-004 in the configuration that is shown there is no password, token or key, and certificates are names and a day", () => {
  const view = configurationView(configOf(TOML, FILES)) as View;
  const text = JSON.stringify(view);
  for (const secret of ["password-of-mine", "token-of-mine", "BEGIN", own.key.slice(60, 90)]) {
    assert.ok(!text.includes(secret), secret);
  }
  assert.equal(view.admin!.password_file, "[redacted]");
  assert.equal(view.admin!.token_file, "[redacted]");
  const [{ tls, client_ca }] = view.listen as unknown as [Record<string, unknown>];
  const day = (tls as [{ cert: [{ until: string }] }])[0].cert[0].until;
  assert.match(day, /^\d{4}-\d\d-\d\d$/);
  const shown = [{ names: ["example.test", "xmpp.example.test"], until: day }];
  assert.deepEqual(tls, [{ cert: shown, key: "[redacted]" }]);
  assert.deepEqual(client_ca, shown);
  const domains = view.domains as View;
  assert.deepEqual(domains["a.test"]!.ca, shown);
  assert.deepEqual([domains["b.test"]!.client_cert, domains["b.test"]!.client_key], [
    shown,
    "[redacted]",
  ]);
});
