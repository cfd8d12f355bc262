/*
 * Invariant: whatever the query of a GET, the answer is an error in words of our own, XML, or a script
 * that calls one function once, the one that was asked for, with just the body.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../src/config/load.ts";
import { ConnectionManager } from "../../src/manager.ts";
import { NS } from "../../src/protocol/xml/names.ts";
import {
  isScriptRequest,
  readScriptRequest,
  scriptAnswer,
} from "../../src/server/script_syntax.ts";
import { FakeUpstream } from "../support/fake_connector.ts";
import { FakeExchange } from "../support/fake_exchange.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { TestClock } from "../support/test_clock.ts";
import { parseXml } from "../support/xml_element.ts";

// ——— What pages ask

const CREATE =
  `<body xmlns='${NS.HTTPBIND}' rid='1' to='example.test' wait='5' hold='1' ver='1.6'/>`;
const BODIES = [
  CREATE,
  `<body xmlns='${NS.HTTPBIND}' rid='2' sid='x'/>`,
  `<body xmlns='${NS.HTTPBIND}' rid='1' to='</script>"\\&#10;' ver='1.6'/>`,
  `<body xmlns='${NS.HTTPBIND}' rid='1' to='example.test' content='text/html'/>`,
  `<body xmlns='${NS.HTTPBIND}' rid='1' to='example.test'><message/></body>`,
  "<body/>",
  "<a>\u2028</a>",
];
const NAMES = [
  ...[
    "f",
    "app.cb",
    "$",
    "_x.y1",
    "this.f",
    "a.if",
    "window.top.f",
    "a.__proto__.b",
    "async",
    "await",
  ],
  ...[
    "if",
    "do",
    "for",
    "new",
    "typeof",
    "throw",
    "return",
    "import",
    "function",
    "class",
    "this",
  ],
  ...[
    "null",
    "true",
    "super",
    "enum",
    "debugger",
    "with",
    "let",
    "yield",
    "static",
    "eval",
    "arguments",
  ],
  ...[
    "undefined",
    "constructor",
    "_BOSH_",
    "f(1)",
    "a..b",
    "a.",
    ".a",
    "1a",
    "a[0]",
    "f ",
    "f;g",
    "",
  ],
  ...[
    "if.f",
    "new.target",
    "import.meta",
    "f\u00e9",
    "f\u2028",
    "%66",
    "f/**/",
    "f\n",
    "a".repeat(129),
  ],
];
const BITS = [
  ...[
    "data=",
    "callback=",
    "&",
    "=",
    "%",
    "%3C",
    "%3c",
    "<",
    "%00",
    "%0A",
    "%E2%80%A8",
    "%22",
    "%5C",
  ],
  ...[
    "+",
    "%2B",
    "%80",
    "%zz",
    "%C3",
    "'",
    '"',
    "/",
    "#",
    "body",
    "%EF%BB%BF",
    "\u00e9",
    "callback",
  ],
  ...["&callback=f", "&data=%3Ca/%3E", "callback=<script>", "?", ";", "(", ")", "//", "/*", "*/"],
];
const name = fc.constantFrom(...NAMES);
const spelt = fc.tuple(
  fc.oneof(fc.constantFrom(...BODIES), fc.string({ unit: "binary", maxLength: 10 })),
  fc.constantFrom(encodeURIComponent, encodeURI, escape, (text: string) => text),
).map(([body, spell]) => {
  try {
    return spell(body);
  } catch {
    // A surrogate that stands alone has no spelling.
    return "%ED%A0%80";
  }
});
const query = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(spelt, name).map(([data, name]) => `data=${data}&callback=${name}`),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(name, spelt).map(([name, data]) => `callback=${name}&data=${data}`),
  },
  { weight: 1, arbitrary: spelt.map((data) => `data=${data}`) },
  { weight: 2, arbitrary: spelt },
  {
    weight: 3,
    arbitrary: fc.array(fc.oneof(fc.constantFrom(...BITS), name, spelt), { maxLength: 8 })
      .map((bits) => bits.join("")),
  },
);

/** All that can be in a string, or stumble over what is. */
const text = fc.array(
  fc.oneof(
    fc.constantFrom(
      ...['"', "\\", "\n", "\r", "\u2028", "\u2029", "</script>", "<!--", "-->", "]]>", "\\u0041"],
      ...[
        "\u00ad",
        "\u200e",
        "\u202e",
        "\ufeff",
        "\u{e0001}",
        "\u{110bd}",
        "\u0600",
        "😀",
        "\u0085",
      ],
      ...["\\", '\\"', "${x}", "`", "'", "/*", "*/", "\0", "\u007f", "&quot;", "\ud800", "\t"],
    ),
    fc.string({ unit: "binary", maxLength: 5 }),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

// ——— The fuzzers

/** What we say of queries that cannot be read; nothing of the query is in it. */
const OUR_WORDS = [
  "callback must be the name of a JavaScript function",
  "the query does not hold a <body/> in percent-encoding",
];

fuzz(
  "J-000 J-004 whatever the query and whatever the answer, one function is called with the body",
  {
    target: "script_answers",
    inputs: fc.record({ query, text }),
    runs: 2000,
    check({ query, text }) {
      if (!isScriptRequest(query)) return;
      const request = readScriptRequest(query);
      if (request.type === "refused") return assert.ok(OUR_WORDS.includes(request.reason));
      assert.ok(request.body.length > 0);
      if (request.type === "data") return;
      const body = new TextEncoder().encode(`<body>${text}</body>`);
      const { status, body: script } = scriptAnswer(request, body, {});
      assert.equal(status, 200);
      assert.ok(script instanceof Uint8Array);
      assert.equal(
        evaluate(new TextDecoder().decode(script), query),
        new TextDecoder().decode(body),
      );
    },
  },
);

fuzz("J-000 J-004 whatever the query, a page gets an error in our own words, XML, or one call", {
  target: "script_queries",
  inputs: query,
  check(query) {
    const clock = new TestClock();
    const faults: unknown[] = [];
    const manager = new ConnectionManager({
      config: loadConfig(),
      clock,
      connector: { open: (request, events) => new FakeUpstream(request, events) },
      onEvent: (event) => event.type === "fault" && faults.push(event.error),
    });
    const exchange = new FakeExchange({ path: "/http-bind", query });
    const answer = manager.handler(["bosh"])(exchange);
    if (answer !== undefined) exchange.respond(answer);
    // A session that nobody's server opens is given up.
    clock.advance(120_000);
    assert.deepEqual(faults, []);
    assert.equal(exchange.answers.length, 1);
    const { status, headers, body = "" } = exchange.answers[0]!;
    const text = typeof body === "string" ? body : new TextDecoder().decode(body);
    const type = headers["content-type"]!.split(";")[0];
    if (type === "text/plain") {
      const isPage = status === 200 && !isScriptRequest(query);
      return assert.ok(
        isPage
          ? text.startsWith("This is a BOSH endpoint")
          : status === 400 && OUR_WORDS.includes(text.trimEnd()),
        text,
      );
    }
    assert.equal(status, 200);
    const xml = type === "text/javascript" ? evaluate(text, query) : text;
    const { name, namespace } = parseXml(xml);
    assert.deepEqual([name, namespace], ["body", NS.HTTPBIND]);
  },
});

/** What a page is told by a script that it asked for by this query. */
function evaluate(script: string, query: string): string {
  // Some browsers remove format characters (category Cf), and "<" could end a script element.
  assert.doesNotMatch(script, /[<\n\r\u2028\u2029\p{Cf}]/u);
  const callback = /^[^(]*/.exec(script)![0];
  const isJsonp = !script.startsWith('_BOSH_("');
  if (isJsonp) assert.ok(`&${query}&`.includes(`&callback=${callback}&`), callback);
  const received: unknown[][] = [];
  const names = callback.split(".");
  const called = (...given: unknown[]) => void received.push(given);
  const [outer = "", ...inner] = names;
  const reach = inner.reduceRight<unknown>((value, name) => ({ [name]: value }), called);
  if (outer === "this") new Function(script).call(reach);
  else new Function(outer, script)(reach);
  assert.equal(received.length, 1, "one call");
  const [[value, ...more]] = received as [unknown[]];
  assert.deepEqual(more, []);
  if (!isJsonp) return assertText(value);
  assert.deepEqual(Object.keys(value as object), ["reply"]);
  return assertText((value as { reply: unknown }).reply);
}

function assertText(value: unknown): string {
  assert.equal(typeof value, "string");
  return value as string;
}
