import assert from "node:assert/strict";
import type { ProxyName } from "../../src/commands/arguments.ts";
import { proxyCommand } from "../../src/commands/proxy.ts";
import { ConfigError } from "../../src/config/mistakes.ts";
import { noFlags, type ServeFlags } from "../../src/config/overrides.ts";

const NAMES: readonly ProxyName[] = ["nginx", "caddy", "haproxy", "apache"];

interface Printed {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function print(name: ProxyName, toml = "", flags: Partial<ServeFlags> = {}): Printed {
  let [stdout, stderr] = ["", ""];
  const sources = { file: "c.toml", readFile: () => toml, flags: { ...noFlags, ...flags } };
  const status = proxyCommand(name, sources, {
    stdout: (text) => stdout += `${text}\n`,
    stderr: (text) => stderr += `${text}\n`,
  });
  return { status, stdout, stderr };
}

/** What is printed without a word to the operator, and without its comments. */
function settings(name: ProxyName, toml: string, flags: Partial<ServeFlags> = {}): string {
  const { status, stdout, stderr } = print(name, toml, flags);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout.replace(/^\s*#.*\n/gm, "");
}

/** The same of all of them; each has to match its pattern. */
function each(
  toml: string,
  patterns: Readonly<Record<ProxyName, RegExp>>,
  flags: Partial<ServeFlags> = {},
): void {
  for (const name of NAMES) assert.match(settings(name, toml, flags), patterns[name]);
}

const DOMAIN = '[domains."example.org"]\n';

Deno.test("each proxy's configuration begins with what it is, where it belongs and how it is tested", () => {
  const tests = {
    nginx: "nginx -t",
    caddy: "caddy validate",
    haproxy: "haproxy -c -f",
    apache: "apachectl configtest",
  };
  for (const name of NAMES) {
    const { stdout } = print(name, DOMAIN);
    assert.match(stdout, /^# \w+ in front of Causeway, made by "causeway proxy" from c\.toml\.\n/);
    assert.match(stdout, /^# {3}install: \/etc\/\w+\//m);
    assert.ok(stdout.includes(`#   test:    ${tests[name]}`), stdout);
    for (const line of stdout.split("\n")) {
      assert.ok(line.length <= 130 || !line.trimStart().startsWith("#"), line);
    }
  }
});

Deno.test("a proxy passes on to the listener of the configuration, or to that of --listen", () => {
  const at = (listen: string) => `${DOMAIN}[[listen]]\n${listen}\n`;
  each(at('address = "127.0.0.2"\nport = 1'), {
    nginx: /^ {4}server 127\.0\.0\.2:1;$/m,
    caddy: /reverse_proxy 127\.0\.0\.2:1 \{/,
    haproxy: /server causeway 127\.0\.0\.2:1$/m,
    apache: /ProxyPassMatch "\^[^"]+" "http:\/\/127\.0\.0\.2:1" /,
  });
  each(at('address = "::1"\nport = 2'), {
    nginx: /server \[::1\]:2;/,
    caddy: /reverse_proxy \[::1\]:2 /,
    haproxy: /server causeway \[::1\]:2$/m,
    apache: /"http:\/\/\[::1\]:2"/,
  });
  each(at('unix = "/run/c/h.sock"'), {
    nginx: /server "unix:\/run\/c\/h\.sock";/,
    caddy: /reverse_proxy unix\/\/run\/c\/h\.sock \{/,
    haproxy: /server causeway unix@\/run\/c\/h\.sock$/m,
    apache: /"unix:\/run\/c\/h\.sock\|http:\/\/localhost"/,
  });
  each(at("port = 2"), {
    nginx: /server 127\.0\.0\.1:3;/,
    caddy: /reverse_proxy 127\.0\.0\.1:3 /,
    haproxy: /server causeway 127\.0\.0\.1:3$/m,
    apache: /"http:\/\/127\.0\.0\.1:3"/,
  }, { listen: ["localhost:3"] });
  // HAProxy would not see a socket from inside of its directory.
  assert.match(settings("haproxy", DOMAIN), /^ {4}chroot /m);
  assert.doesNotMatch(settings("haproxy", at('unix = "/run/c/h.sock"')), /chroot/);
});

Deno.test("the path of a socket is written as each proxy has it, and refused where it cannot be", () => {
  const at = (unix: string) => ({ listen: [`unix:${unix}`] });
  const odd = "/a b\"c'd;#";
  assert.match(settings("nginx", DOMAIN, at(`${odd}{$e}\\`)), /"unix:\/a b\\"c'd;#\{\$e\}\\\\";\n/);
  assert.match(settings("haproxy", DOMAIN, at(odd)), /'unix@\/a b"c'\\''d;#'\n/);
  assert.match(settings("caddy", DOMAIN, at(odd)), /reverse_proxy `unix\/\/a b"c'd;#` \{\n/);
  const refused: readonly [ProxyName, string, string][] = [
    ["nginx", "/a\nb", "\\n"],
    ["haproxy", "/a$b", "$"],
    ["haproxy", "/a\\b", "\\\\"],
    ["caddy", "/a{b", "{"],
    ["caddy", "/a`b", "`"],
    ["apache", "/a b", " "],
    ["apache", "/a|b", "|"],
    ["apache", "/a%b", "%"],
  ];
  for (const [name, path, character] of refused) {
    const { status, stdout, stderr } = print(name, DOMAIN, at(path));
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.ok(
      stderr.endsWith(`because of the "${character}" in it; choose another path for the socket\n`),
      stderr,
    );
  }
});

Deno.test("of several listeners it is the one without TLS that serves most, the first of several", () => {
  const toml = `${DOMAIN}
    [[listen]]
    port = 1
    serve = ["websocket"]
    [[listen]]
    port = 2
    serve = ["bosh", "websocket"]
    [[listen]]
    port = 3
    serve = ["bosh", "discovery"]
    [[listen]]
    fd = 3
    server = "sockets"
    [[listen]]
    port = 0
  `;
  const { status, stdout, stderr } = print("nginx", toml);
  assert.equal(status, 0);
  assert.match(stdout, /server 127\.0\.0\.1:2;/);
  const remark = "the listener that the proxy uses does not serve discovery, and others do";
  assert.ok(stderr.startsWith(`WARNING ${remark}`), stderr);
  assert.ok(stdout.replaceAll("\n# ", " ").includes(`NOTE: ${remark}`), stdout);
});

Deno.test("without a listener for a proxy it is said what each of them lacks, with status 2", () => {
  const toml = `${DOMAIN}
    [[listen]]
    port = 0
    [[listen]]
    fd = 3
    server = "sockets"
    [[listen]]
    unix = "h.sock"
  `;
  for (const name of NAMES) {
    const { status, stdout, stderr } = print(name, toml);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.equal(
      stderr,
      "causeway: there is no listener for a proxy: 127.0.0.1:0 is another port at every start; " +
        'fd 3 does not say where it listens; "h.sock" is no absolute path. Add one to the configuration, ' +
        'such as [[listen]] with unix = "/run/causeway/http.sock", or name it with --listen\n',
    );
  }
});

Deno.test("a listener with TLS of its own is none for a proxy", () => {
  const folder = new URL("../support/certificates/", import.meta.url);
  const toml = `${DOMAIN}[[listen]]
    address = "::"
    port = 443
    tls = { cert = "${folder.pathname}example.test.pem", key = "${folder.pathname}example.test.key" }
  `;
  const readFile = (path: string) => path === "c.toml" ? toml : Deno.readTextFileSync(path);
  let stderr = "";
  const output = { stdout: assert.fail, stderr: (text: string) => stderr += text };
  assert.equal(proxyCommand("nginx", { file: "c.toml", readFile }, output), 2);
  assert.match(
    stderr,
    /: \[::\]:443 has TLS of its own, so clients reach it without a proxy\. Add/,
  );
});

Deno.test("S-013 who is not trusted, or reached by others too, is told with what would be right", () => {
  const warned = (listen: string, http = "") =>
    print("caddy", `${http}\n${DOMAIN}[[listen]]\n${listen}`).stderr.trimEnd().split("\n")
      .filter((line) => line !== "");
  const trusted = /^WARNING http\.trusted_proxies does not have (\S+), .*: write (.*)$/;
  assert.deepEqual(warned("port = 1"), []);
  assert.deepEqual(warned('address = "::1"'), []);
  assert.deepEqual(warned('unix = "/c"', "http.trusted_proxies = []"), []);
  const [lone, ...none] = warned("port = 1", "http.trusted_proxies = ['10.0.0.0/8']");
  assert.deepEqual(trusted.exec(lone!)?.slice(1), [
    "127.0.0.1",
    'trusted_proxies = ["127.0.0.1"] in [http]',
  ]);
  assert.deepEqual(none, []);
  assert.match(warned('address = "::1"', "http.trusted_proxies = []")[0]!, /does not have ::1, /);
  for (const everywhere of ["::", "0.0.0.0"]) {
    const [outside, ...more] = warned(`address = "${everywhere}"`);
    assert.match(outside!, /:5280 is reached without the proxy too, and without TLS: let Causeway/);
    assert.deepEqual(more, []);
  }
  const [, far] = warned('address = "10.0.0.5"');
  assert.match(far!, /does not have 10\.0\.0\.5, .*; if the proxy is on another machine, its/);
  assert.equal(warned('address = "10.0.0.5"', "http.trusted_proxies = ['10.0.0.0/8']").length, 1);
});

Deno.test("what the listener serves, and no more, is passed on, with and without a trailing slash", () => {
  const paths = 'bosh.path = "/b.c/d/"\nwebsocket.path = "/ws"\n';
  each(`${paths}${DOMAIN}`, {
    nginx:
      /location ~ "\^\(\/b\\\\\.c\/d\/\?\|\/ws\/\?\|\/\\\\\.well-known\/host-meta\|\/\\\\\.well-known\/host-meta\\\\\.json\)\$" \{/,
    caddy:
      /@causeway path \/b\.c\/d \/b\.c\/d\/ \/ws \/ws\/ \/\.well-known\/host-meta \/\.well-known\/host-meta\.json\n/,
    haproxy: /unless \{ path \/b\.c\/d \/b\.c\/d\/ \/ws \/ws\/ \/\.well-known\/host-meta \/\.w/,
    apache: /ProxyPassMatch "\^\(\/b\\\.c\/d\/\?\|\/ws\/\?\|\/\\\.well-known\/host-meta\|/,
  });
  each(`${DOMAIN}[[listen]]\nserve = ["websocket"]`, {
    nginx: /location ~ "\^\(\/xmpp-websocket\/\?\)\$" \{\n\s+proxy_pass/,
    caddy: /path \/xmpp-websocket \/xmpp-websocket\/\n/,
    haproxy: /path \/xmpp-websocket \/xmpp-websocket\/ \}/,
    apache: /"\^\(\/xmpp-websocket\/\?\)\$"/,
  });
  for (const name of NAMES) {
    const websocket = settings(name, `${DOMAIN}[[listen]]\nserve = ["websocket"]`);
    assert.doesNotMatch(websocket, /http-bind|host-meta|gloox/);
    const hostMeta = settings(name, `${DOMAIN}[[listen]]\nserve = ["discovery"]`);
    assert.doesNotMatch(hostMeta, /http-bind|websocket\/|gloox/);
    assert.match(hostMeta, /host-meta/);
  }
  each(`bosh.path = "/"\n${DOMAIN}[[listen]]\nserve = ["bosh"]`, {
    nginx: /location ~ "\^\(\/\)\$" \{/,
    caddy: /path \/\n/,
    haproxy: /unless \{ path \/ \}/,
    apache: /"\^\(\/\)\$"/,
  });
});

Deno.test("a path that proxies would rewrite is refused", () => {
  for (const path of ["/a%20b", "/a//b", "/a/../b", "/.", "/a$b", "/a*", "/a{b", '/a"b', "/a;b"]) {
    for (const key of ["bosh", "websocket"]) {
      const toml = `${DOMAIN}[${key}]\npath = '${path}'`;
      let result: Printed;
      try {
        result = print("nginx", toml);
      } catch (error) {
        // Some are no paths for Causeway either.
        assert.ok(error instanceof ConfigError);
        continue;
      }
      assert.equal(result.status, 2, path);
      assert.equal(result.stdout, "");
      assert.ok(
        result.stderr.startsWith(`causeway: ${key}.path is "${path}", and proxies rewrite`),
      );
    }
  }
});

Deno.test("T-46 a proxy waits longer than Causeway, for requests and for WebSockets", () => {
  each(`bosh.max_wait = 300\nwebsocket.ping_interval = 30\n${DOMAIN}`, {
    nginx: /proxy_read_timeout 330s;/,
    caddy: /response_header_timeout 330s/,
    haproxy: /timeout client 330s\n {4}timeout server 330s\n {4}timeout tunnel 90s\n/,
    apache: /Timeout 330\n[^]* timeout=330 /,
  });
  each(`bosh.max_wait = 1\nwebsocket.ping_interval = 100\n${DOMAIN}`, {
    nginx: /proxy_read_timeout 230s;/,
    // It has no limit for WebSockets. The first answer may take ten seconds, whatever the wait.
    caddy: /response_header_timeout 40s/,
    haproxy: /timeout client 40s\n {4}timeout server 40s\n {4}timeout tunnel 230s\n/,
    apache: /Timeout 40\n[^]* timeout=230 /,
  });
  assert.match(
    settings("haproxy", `websocket.ping_interval = 0\nwebsocket.idle_timeout = 500\n${DOMAIN}`),
    /timeout tunnel 530s/,
  );
  const { stdout, stderr } = print("haproxy", `websocket.ping_interval = 0\n${DOMAIN}`);
  assert.match(stdout, /timeout tunnel 3600s/);
  assert.match(stderr, /^WARNING websocket\.ping_interval is 0: .* silent for 3600 s\n$/);
});

Deno.test("a proxy gives connections to Causeway up before Causeway does", () => {
  // HAProxy sees by itself that a connection is closed, and gives it up after seconds.
  const keeping = {
    nginx: /keepalive 64;\n {4}keepalive_timeout 30s;/,
    caddy: /keepalive 30s/,
    apache: / ttl=30 /,
  };
  const none = {
    nginx: /server 127\.0\.0\.1:5280;\n\}/,
    caddy: /keepalive off/,
    apache: / disablereuse=On /,
  };
  for (const [seconds, patterns] of [[40, keeping], [1, none]] as const) {
    for (const name of ["nginx", "caddy", "apache"] as const) {
      assert.match(
        settings(name, `http.keepalive_timeout = ${seconds}\n${DOMAIN}`),
        patterns[name],
      );
    }
  }
});

Deno.test("nginx takes bodies of twice http.max_body, so that it is Causeway that refuses them", () => {
  const text = settings("nginx", `http.max_body = 4_000_000\n${DOMAIN}`);
  assert.match(text, /client_max_body_size 8000000;\n +client_body_buffer_size 1048576;/);
});

Deno.test("names are those of the domains and of the addresses that host-meta tells; certificates follow", () => {
  const toml = `
    [domains."*.example.org"]
    [domains."Bücher.example"]
    bosh_url = "https://chat.example/http-bind"
    websocket_url = "wss://chat.example/xmpp-websocket"
    [domains."example.org"]
  `;
  const all = "xn--bcher-kva.example example.org chat.example *.example.org";
  const first = all.split(" ")[0]!;
  const text = settings("nginx", toml);
  assert.equal(text.split(`server_name ${all};`).length, 3);
  assert.ok(text.includes(`/etc/letsencrypt/live/${first}/fullchain.pem;`));
  assert.ok(settings("caddy", toml).includes(`\n${all.replaceAll(" ", ", ")} {\n`));
  assert.ok(print("caddy", toml).stdout.includes("For names with * Caddy needs"));
  assert.ok(settings("haproxy", toml).includes(` crt /etc/haproxy/${first}.pem `));
  const apache = settings("apache", toml);
  const alias = `    ServerName ${first}\n    ServerAlias ${all.slice(first.length + 1)}\n`;
  assert.equal(apache.split(alias).length, 3);
  // A name of its own is needed where there are patterns alone.
  const wild = settings("apache", '[domains."*.example.org"]');
  assert.match(wild, /ServerName example\.org\n {4}ServerAlias \*\.example\.org\n/);
  assert.match(
    settings("nginx", DOMAIN, { domain: ["a.test"] }),
    /server_name example\.org a\.test;/,
  );
  const long = `${"a".repeat(60)}.example`;
  assert.doesNotMatch(text, /hash_bucket/);
  assert.match(settings("nginx", `[domains."${long}"]`), /^server_names_hash_bucket_size 512;$/m);
});

Deno.test("where no domain is named, the operator is told to name his own", () => {
  for (const name of NAMES) {
    const { stdout, stderr } = print(name);
    assert.match(stderr, /^WARNING no domain is named .*: replace example\.org by yours\n$/);
    assert.match(stdout, /NOTE: no domain is named/);
    assert.match(stdout.replace(/^\s*#.*\n/gm, ""), /example\.org/);
  }
  const some = print("nginx", `${DOMAIN}[domains."*"]\nconnect = "xmpp://a.test"`);
  assert.match(some.stdout, /server_name example\.org;/);
  assert.match(some.stderr, /^WARNING every domain is served: add the names/);
});

Deno.test("it is told when host-meta sends clients where this proxy passes nothing on", () => {
  const { stderr } = print(
    "nginx",
    `[discovery]
    bosh_url = "https://a.test:5443/http-bind"
    websocket_url = "wss://a.test/xmpp-websocket"
    ${DOMAIN}`,
  );
  assert.equal(
    stderr,
    "WARNING host-meta sends clients to https://a.test:5443/http-bind, which is not among what this proxy passes on\n",
  );
});

Deno.test("S-004 what fails is logged without its query, where requests by GET are taken", () => {
  assert.match(settings("caddy", DOMAIN), /request>uri regexp/);
  const none = `bosh.script = false\n${DOMAIN}`;
  assert.doesNotMatch(settings("caddy", none), /request>uri/);
  assert.match(print("nginx", DOMAIN).stdout, /error\.log shows whole requests/);
  assert.doesNotMatch(print("nginx", none).stdout, /error\.log/);
});

Deno.test("where a proxy passes slow bodies on, it is said which listener bounds them", () => {
  const advice = (name: ProxyName, server: string) =>
    /write server = "sockets"/.test(
      print(name, `${DOMAIN}[[listen]]\nserver = "${server}"`).stdout,
    );
  assert.deepEqual(NAMES.map((name) => advice(name, "deno")), [false, true, true, false]);
  assert.deepEqual(NAMES.map((name) => advice(name, "sockets")), [false, false, false, false]);
});

Deno.test("a name of the file cannot end the comment that it stands in", () => {
  const readFile = () => DOMAIN;
  let text = "";
  const output = { stdout: (more: string) => text += more, stderr: assert.fail };
  proxyCommand("nginx", { file: "a\nevil;", readFile }, output);
  assert.match(text, /from "a\\nevil;"\.\n/);
});

Deno.test("proxy runs with the executable's permissions: what is printed on standard output, the rest on the other", async () => {
  const causeway = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-P", "main.ts", "proxy", ...args],
      cwd: new URL("../..", import.meta.url),
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  };
  const { code, stdout, stderr } = await causeway("nginx", "--listen", "127.0.0.1:5");
  assert.equal(code, 0);
  assert.match(stdout, /^# nginx [^]* server 127\.0\.0\.1:5;[^]*\n\}\n$/);
  assert.match(stderr, /^WARNING no domain is named/m);
  const wrong = await causeway();
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /^causeway: proxy needs the name of one; there are: nginx/m);
});

Deno.test("mistakes in the configuration are those of every command", () => {
  assert.throws(() => print("nginx", "bosh.max_wait = 0"), ConfigError);
});
