import assert from "node:assert/strict";
import fc from "fast-check";
import { eventLogger, type Fields, Log, type LogOptions } from "../src/log.ts";
import type { ManagerEvent } from "../src/events.ts";

/** A log whose clock stands still, and what it wrote. */
function recorded(options: Partial<LogOptions> = {}): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const log = new Log({
    level: "debug",
    format: "text",
    ...options,
    write: (line) => void lines.push(line),
    now: () => Date.UTC(2026, 10, 21, 12),
  });
  return { log, lines };
}

function line(format: "text" | "json", message: string, fields: Fields): string {
  const { log, lines } = recorded({ format });
  log.info(message, fields);
  return lines.join("|");
}

Deno.test("a record is one line of time, level, message and fields", () => {
  assert.equal(
    line("text", "session created", {
      domain: "example.org",
      port: 5222,
      direct: true,
      none: undefined,
    }),
    "2026-11-21T12:00:00.000Z info session created domain=example.org port=5222 direct=true\n",
  );
  assert.equal(
    line("json", "session created", {
      domain: "example.org",
      port: 5222,
      direct: true,
      none: undefined,
    }),
    '{"time":"2026-11-21T12:00:00.000Z","level":"info","message":"session created","domain":"example.org","port":5222,"direct":true}\n',
  );
});

Deno.test("text values are quoted when they could be taken for something else", () => {
  const value = (text: string) =>
    line("text", "m", { v: text }).slice("2026-11-21T12:00:00.000Z info m v=".length, -1);
  assert.equal(value("[::1]:5222"), "[::1]:5222");
  assert.equal(value("*.example.org"), "*.example.org");
  assert.equal(value(""), '""');
  assert.equal(value("two words"), '"two words"');
  assert.equal(value("a=b"), '"a=b"');
  assert.equal(value('say "x" \\'), '"say \\"x\\" \\\\"');
  assert.equal(value("bücher"), '"bücher"');
});

Deno.test("hostile values can neither forge a line nor hide in one", () => {
  const hostile =
    "a\n2026-11-21T12:00:00.000Z error owned\r\x1b[2J\x7f\x85\u2028\u2029\u202e\u200b\ufeff\0";
  for (const format of ["text", "json"] as const) {
    for (const written of [line(format, "m", { hostile }), line(format, hostile, {})]) {
      assert(written.endsWith("\n"));
      assert.match(written.slice(0, -1), /^[ -~]+$/);
    }
  }
  assert.equal(JSON.parse(line("json", "m", { hostile })).hostile, hostile);
});

// Invariant: whatever the value, a text record is one printable line and its quoted value reads back.
Deno.test("text and JSON records stay one line that reads back when values are random", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      const text = line("text", "m", { value });
      // deno-lint-ignore no-control-regex
      assert.match(text, /^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+\n$/);
      const written = text.slice(text.indexOf("value=") + "value=".length, -1);
      assert.equal(written.startsWith('"') ? JSON.parse(written) : written, value);
      assert.equal(JSON.parse(line("json", "m", { value })).value, value);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("values are cut when they are long", () => {
  for (const format of ["text", "json"] as const) {
    assert(line(format, "m", { v: "x".repeat(1e6) }).length < 5_000);
  }
});

Deno.test("records below the level are not written", () => {
  const levels = ["debug", "info", "warn", "error"] as const;
  for (const [least, level] of levels.entries()) {
    const { log, lines } = recorded({ level });
    for (const each of levels) log[each](each);
    assert.deepEqual(lines.map((line) => line.trim().split(" ").at(-1)), levels.slice(least));
  }
});

Deno.test("the level of a log can be changed while it is used", () => {
  const { log, lines } = recorded({ level: "warn" });
  log.info("a");
  log.level = "debug";
  assert.ok(log.writes("debug"));
  log.debug("b");
  log.level = "error";
  assert.ok(!log.writes("warn"));
  log.warn("c");
  log.error("d");
  assert.deepEqual(lines.map((line) => line.trim().split(" ").slice(1)), [["debug", "b"], [
    "error",
    "d",
  ]]);
});

Deno.test("in the journal a line begins with its priority, and text leaves the time to the journal", () => {
  const levels = ["debug", "info", "warn", "error"] as const;
  const text = recorded({ journal: () => true });
  for (const level of levels) text.log[level]("m", { v: 1 });
  assert.deepEqual(text.lines, [
    "<7>debug m v=1\n",
    "<6>info m v=1\n",
    "<4>warn m v=1\n",
    "<3>error m v=1\n",
  ]);
  const json = recorded({ journal: () => true, format: "json" });
  json.log.warn("m", { v: 1 });
  assert.deepEqual(json.lines, [
    '<4>{"time":"2026-11-21T12:00:00.000Z","level":"warn","message":"m","v":1}\n',
  ]);
});

Deno.test("records have the time of their own millisecond, before and behind the turn of a second", () => {
  let now = 0;
  const times: string[] = [];
  const write = (line: string) => void times.push(line.split(" ")[0]!);
  const log = new Log({ level: "info", format: "text", write, now: () => now });
  for (now of [1, 999, 1_000, 1_000.7, 1_764_244_799_007, 61_999, 62_050]) log.info("m");
  assert.deepEqual(
    times,
    [1, 999, 1_000, 1_000, 1_764_244_799_007, 61_999, 62_050].map((ms) =>
      new Date(ms).toISOString()
    ),
  );
});

const client = { address: "192.0.2.7", port: 4711, transport: "bosh" } as const;

const EVENTS: readonly [ManagerEvent, string][] = [
  [
    { type: "session-created", session: "s1", domain: "example.org", client },
    "info session created session=s1 domain=example.org transport=bosh client=192.0.2.7 port=4711",
  ],
  [
    {
      type: "session-ended",
      session: "s1",
      domain: "example.org",
      client: { address: "", port: 0, transport: "websocket" },
      condition: undefined,
      reason: "the client closed it",
      duration: 12_345.678,
    },
    'info session ended session=s1 domain=example.org transport=websocket reason="the client closed it" seconds=12.346',
  ],
  [
    {
      type: "session-ended",
      session: "s1",
      domain: "example.org",
      client: { address: "2001:db8::7", port: 0, transport: "bosh" },
      condition: "item-not-found",
      reason: "wrong",
      duration: 0,
    },
    "info session ended session=s1 domain=example.org transport=bosh client=2001:db8::7 condition=item-not-found reason=wrong seconds=0",
  ],
  [
    {
      type: "upstream-connected",
      session: "s1",
      domain: "example.org",
      client,
      target: "[::1]:5222",
      tls: "starttls",
    },
    "debug upstream connected session=s1 domain=example.org transport=bosh client=192.0.2.7 port=4711 target=[::1]:5222 tls=starttls",
  ],
  [
    {
      type: "upstream-failed",
      session: "s1",
      domain: "example.org",
      client,
      target: "a:1",
      phase: "tcp",
      reason: "connection refused",
      retrying: true,
    },
    'warn upstream failed session=s1 domain=example.org transport=bosh client=192.0.2.7 port=4711 target=a:1 phase=tcp reason="connection refused" retrying=true',
  ],
  [
    { type: "unsent", session: "s1", domain: "example.org", client, to: "server", bytes: 1_234 },
    "warn bytes not sent session=s1 domain=example.org transport=bosh client=192.0.2.7 port=4711 to=server bytes=1234",
  ],
  [
    { type: "undelivered", session: "s1", domain: "example.org", client, payloads: [] },
    "warn stanzas not delivered session=s1 domain=example.org transport=bosh client=192.0.2.7 port=4711 stanzas=0",
  ],
  [
    { type: "responses-acknowledged", session: "s1", domain: "example.org", client, rid: 9 },
    "debug responses acknowledged session=s1 domain=example.org transport=bosh client=192.0.2.7 port=4711 rid=9",
  ],
  [
    {
      type: "trace",
      session: "s1",
      domain: "example.org",
      client,
      direction: "up",
      bytes: 11,
      xml: "<presence/>",
    },
    'debug stanza session=s1 domain=example.org transport=bosh client=192.0.2.7 port=4711 direction=up bytes=11 xml="<presence/>"',
  ],
  [
    { type: "fault", session: "s1", client, error: 1 },
    'error fault in Causeway; please report it session=s1 transport=bosh client=192.0.2.7 port=4711 error="what was thrown is no error but of type number"',
  ],
  [
    { type: "limit-reached", limit: "limits.sessions", address: "192.0.2.7", count: 3 },
    "warn limit reached limit=limits.sessions times=3 client=192.0.2.7",
  ],
  [
    { type: "handshake-failed", address: "192.0.2.7", reason: "no" },
    "debug TLS handshake failed client=192.0.2.7 reason=no",
  ],
  [
    { type: "login-failed", address: "192.0.2.7", count: 3 },
    "warn login to the admin API refused client=192.0.2.7 times=3",
  ],
  [
    { type: "operator-acted", action: "ended a session", address: "192.0.2.7", session: "s1" },
    "info an operator ended a session session=s1 client=192.0.2.7",
  ],
  [
    { type: "operator-acted", action: "drains", address: "", session: undefined },
    "info an operator drains",
  ],
];

Deno.test("eventLogger() writes each event as one record of its level", () => {
  for (const [event, expected] of EVENTS) {
    const { log, lines } = recorded();
    eventLogger(log)(event);
    assert.deepEqual(lines, [`2026-11-21T12:00:00.000Z ${expected}\n`]);
  }
});

Deno.test("S-017 eventLogger() writes faults with their stack, whatever was thrown", () => {
  const { log, lines } = recorded({ format: "json" });
  eventLogger(log)({ type: "fault", session: "s1", error: new TypeError("no such thing") });
  eventLogger(log)({ type: "fault", session: undefined, error: "a string" });
  const [first, second] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([first.level, first.session], ["error", "s1"]);
  assert.match(first.error, /^TypeError\n\s+at .*log_test\.ts/);
  assert.deepEqual([second.level, second.session], ["error", undefined]);
  assert.match(second.error, /of type string$/);
});

Deno.test("S-004 eventLogger() writes nothing of what an error says: it may quote what somebody sent", () => {
  const secret = "hunter2";
  const quoting = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };
  const named = new Error(secret);
  named.name = `${secret} is a name`;
  const changed = new Error(`first ${secret}`);
  changed.message = "and then another";
  const coded = Object.assign(new Error(secret), { code: "ECONNRESET" });
  const errors = [
    quoting(() => JSON.parse(`{"password": ${secret}`)),
    quoting(() => new URL(secret)),
    quoting(() => BigInt(secret)),
    quoting(() => Reflect.get(undefined as never, secret)),
    new Error(`${secret}\n    at ${secret} (file:///x.ts:1:1)\nmore ${secret}`, { cause: secret }),
    new AggregateError([new Error(secret)], secret),
    new DOMException(secret, "AbortError"),
    named,
    changed,
    coded,
    Object.assign(new Error("x"), { code: secret }),
    Object.assign(new Error(`${secret} and more`), { name: "x", message: secret }),
    secret,
    { secret },
    Symbol(secret),
    undefined,
  ];
  for (const error of errors) {
    const { log, lines } = recorded();
    eventLogger(log)({ type: "fault", session: "s1", error });
    assert.equal(lines.length, 1);
    assert.ok(!lines[0]!.includes(secret), lines[0]);
  }
  const { log, lines } = recorded({ format: "json" });
  for (const error of [errors[0], coded, new Error(), new Error("at")]) {
    eventLogger(log)({ type: "fault", session: "s1", error });
  }
  const [first, second, ...others] = lines.map((line) => JSON.parse(line).error);
  for (const other of others) assert.match(other, /^Error\n\s+at .*log_test\.ts/);
  assert.match(first, /^SyntaxError\n\s+at JSON\.parse .*\n\s+at .*log_test\.ts/);
  assert.match(second, /^Error \(ECONNRESET\)\n\s+at .*log_test\.ts/);
});
