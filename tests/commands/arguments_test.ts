import assert from "node:assert/strict";
import { parseArguments, UsageError } from "../../src/commands/arguments.ts";
import { noFlags } from "../../src/config/overrides.ts";

const parsed = (line: string) => parseArguments(line.split(" ").filter((word) => word !== ""));

Deno.test("causeway without a command serves", () => {
  assert.deepEqual(parsed(""), { command: "serve", file: undefined, flags: noFlags });
  assert.deepEqual(parsed("serve"), parsed(""));
});

Deno.test("serve takes its flags in any order, before and after the word, with = and without", () => {
  const expected = {
    command: "serve",
    file: "c.toml",
    flags: {
      listen: ["127.0.0.1:1", "[::1]:2"],
      domain: ["a", "b=xmpp://c:5222"],
      logLevel: "debug",
      logFormat: "json",
    },
  };
  const flags =
    "--listen 127.0.0.1:1 --domain a --log-level debug --listen=[::1]:2 --domain=b=xmpp://c:5222 --log-format json";
  assert.deepEqual(parsed(`--config c.toml ${flags}`), expected);
  assert.deepEqual(parsed(`serve ${flags} --config=c.toml`), expected);
  assert.deepEqual(parsed(`--config c.toml serve ${flags}`), expected);
});

Deno.test("check takes a file or none, demo takes nothing", () => {
  assert.deepEqual(parsed("check"), { command: "check", file: undefined });
  assert.deepEqual(parsed("check c.toml"), { command: "check", file: "c.toml" });
  assert.deepEqual(parsed("check -- --odd.toml"), { command: "check", file: "--odd.toml" });
  assert.deepEqual(parsed("demo"), { command: "demo" });
});

Deno.test("proxy takes the name of one, and what serve takes to say where it listens and for whom", () => {
  assert.deepEqual(parsed("proxy nginx"), {
    command: "proxy",
    proxy: "nginx",
    file: undefined,
    flags: noFlags,
  });
  assert.deepEqual(parsed("proxy --config c.toml --listen unix:/c --domain a apache"), {
    command: "proxy",
    proxy: "apache",
    file: "c.toml",
    flags: { ...noFlags, listen: ["unix:/c"], domain: ["a"] },
  });
});

Deno.test("--version and --help are heard wherever they stand", () => {
  for (const line of ["--version", "serve --version", "--version check"]) {
    assert.deepEqual(parsed(line), { command: "version" });
  }
  const help = (line: string) => {
    const invocation = parsed(line);
    assert(invocation.command === "help");
    return invocation.text;
  };
  assert.match(help("--help"), /causeway check \[FILE\][^]*causeway demo/);
  assert.equal(help("-h"), help("--help"));
  assert.match(help("serve --help"), /--listen ADDRESS:PORT/);
  assert.match(help("check --help"), /^causeway check \[FILE\]\n/);
  assert.match(help("demo a --help"), /^causeway demo\n/);
  assert.match(help("proxy --help"), /^causeway proxy nginx\|caddy\|haproxy\|apache \[OPTION\]…\n/);
  for (
    const text of ["", "serve", "check", "demo", "proxy"].map((command) =>
      help(`${command} --help`)
    )
  ) {
    for (const line of text.split("\n")) assert(line.length <= 90, line);
  }
});

Deno.test("wrong usage is told with what would be right", () => {
  const wrong: [string, string][] = [
    ["heal example.org", 'there is no command "heal"; there are: serve, check, doctor, demo'],
    ["chekc", 'there is no command "chekc"; did you mean check?'],
    ["--lisen 127.0.0.1:1", "serve has no option --lisen; did you mean --listen?"],
    [
      "-x",
      "serve has no option -x; there are: --config, --listen, --domain, --log-level, --log-format, --help, --version",
    ],
    ["check --listen 127.0.0.1:1", "check has no option --listen; there are: --help, --version"],
    ["demo now", 'demo does not take "now"; write: causeway demo'],
    ["check a b", 'check does not take "b"; write: causeway check [FILE]'],
    ["serve a", 'serve does not take "a"; write: causeway serve [--config FILE]'],
    ["proxy", "proxy needs the name of one; there are: nginx, caddy, haproxy, apache"],
    ["proxy ngnix", 'there is no proxy "ngnix"; did you mean nginx?'],
    ["proxy traefik", 'there is no proxy "traefik"; there are: nginx, caddy, haproxy, apache'],
    ["proxy nginx caddy", 'proxy does not take "caddy"; write: causeway proxy nginx|caddy|'],
    ["proxy nginx --log-level debug", "proxy has no option --log-level; there are: --config, "],
    ["--config", "--config needs a value; write: causeway serve [--config FILE]"],
    ["--config=", "--config needs a value; write: causeway serve [--config FILE]"],
    [
      "--config --listen 127.0.0.1:1",
      "--config needs a value; write: causeway serve [--config FILE]",
    ],
    ["--help=yes", "--help takes no value"],
    ["--__proto__ x", "serve has no option --__proto__; there are: --config"],
    ["constructor", 'there is no command "constructor"; there are: serve'],
  ];
  for (const [line, message] of wrong) {
    assert.throws(() => parsed(line), (error) => {
      assert(error instanceof UsageError, line);
      assert(error.message.startsWith(message), `${line}: ${error.message}`);
      return true;
    });
  }
});
