import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "smol-toml";
import { joinPath, locate } from "../../src/config/locate.ts";

Deno.test("locate() finds keys, tables and elements when the document has every shape of TOML", () => {
  const document = [
    'domain_default = "a#b" # comment [x]', // 1
    "http.max_body = 1", // 2
    "[[listen]] # first", // 3
    'address = "::"', // 4
    "[listen.tls]", // 5
    "cert = 'C:\\n'", // 6
    "[ [ listen ] ]".replaceAll(" [", "[").replaceAll("] ", "]"), // 7
    "port = 1979-05-27 07:32:00", // 8
    "serve = [ # why", // 9
    '  "bosh", # ]', // 10
    "", // 11
    "  'websocket',", // 12
    "]", // 13
    '[domains."example.org"]', // 14
    'connect = """', // 15
    "[bosh]", // 16
    'x = \\""""""', // 17
    "tls = '''", // 18
    "polling = 1", // 19
    "''''", // 20
    "[domains.'*.example.org']", // 21
    'inline = { a = { "b c" = 1 }, d = [ {e = 2}, {f = ""} ] }', // 22
    '"quo\\u0074ed" . key = true', // 23
    'after = ""', // 24
  ].join("\n");
  parse(document);
  const lineOf = locate(document);
  const expected: Record<string, number> = {
    domain_default: 1,
    http: 2,
    "http.max_body": 2,
    listen: 3,
    "listen[0]": 3,
    "listen[0].address": 4,
    "listen[0].tls": 5,
    "listen[0].tls.cert": 6,
    "listen[1]": 7,
    "listen[1].port": 8,
    "listen[1].serve": 9,
    "listen[1].serve[0]": 10,
    "listen[1].serve[1]": 12,
    domains: 14,
    'domains."example.org"': 14,
    'domains."example.org".connect': 15,
    'domains."example.org".tls': 18,
    'domains."*.example.org"': 21,
    'domains."*.example.org".inline.a."b c"': 22,
    'domains."*.example.org".inline.d[1].f': 22,
    'domains."*.example.org".quoted.key': 23,
    'domains."*.example.org".after': 24,
    "bosh": NaN,
    'domains."example.org".x': NaN,
  };
  for (const [path, line] of Object.entries(expected)) {
    assert.equal(lineOf(path), Number.isNaN(line) ? undefined : line, path);
  }
});

Deno.test("locate() counts lines when they end in CR LF", () => {
  const document = 'a = """\r\n\r\n"""\r\n[b]\r\nc = [\r\n1,\r\n2]\r\nd = 1\r\n';
  parse(document);
  const lineOf = locate(document);
  assert.deepEqual(["a", "b", "b.c", "b.c[1]", "b.d"].map(lineOf), [1, 4, 5, 7, 8]);
});

// Invariant: in every document that parses, each key and element has the line that it was written on.
Deno.test("locate() finds every key when documents are random", () => {
  const string = fc.constantFrom(
    '""',
    "''",
    '"\\""',
    '"a ] } # = ,"',
    "'\\'",
    '"""\n[x]\ny = 1\\""""""',
    "'''\n# '' \n'''''",
    '""""""',
    '"""\\\\"""',
  );
  const scalar = fc.oneof(
    string,
    fc.constantFrom("1", "-1.5e3", "true", "1979-05-27 07:32:00", "inf"),
  );
  const filler = fc.constantFrom("", " ", "\n", ' # ] } "\n', "\r\n\t", "\n\n# '''\n");
  const key = fc.constantFrom(
    "a",
    "b-c",
    '"d.e"',
    "'f g'",
    '"\\u0068"',
    "1",
    '"]"',
    '"="',
    "__proto__",
  );
  type Shape = string | { list: [Shape, string][] } | { table: [string, Shape][] };
  const { value } = fc.letrec<{ value: Shape }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      scalar,
      fc.record({ list: fc.array(fc.tuple(tie("value"), filler), { maxLength: 3 }) }),
      fc.record({
        table: fc.uniqueArray(fc.tuple(key, tie("value")), {
          maxLength: 3,
          selector: ([name]) => name,
        }),
      }),
    ),
  }));
  const pairs = fc.uniqueArray(fc.tuple(key, value), { maxLength: 4, selector: ([name]) => name });
  const section = fc.record({
    name: key,
    array: fc.boolean(),
    repeat: fc.integer({ min: 1, max: 3 }),
    pairs,
    filler,
  });

  fc.assert(
    fc.property(
      pairs,
      fc.uniqueArray(section, { maxLength: 4, selector: ({ name }) => name }),
      (top, named) => {
        let document = "";
        const expected = new Map<string, number>();
        const here = (path: string) => {
          if (!expected.has(path)) expected.set(path, document.split("\n").length);
        };
        const plain = (written: string) => Object.keys(parse(`${written} = 0`))[0]!;
        const write = (path: string, shape: Shape): void => {
          if (typeof shape === "string") {
            document += shape;
          } else if ("list" in shape) {
            document += "[";
            for (const [index, [item, space]] of shape.list.entries()) {
              document += space;
              here(`${path}[${index}]`);
              write(`${path}[${index}]`, item);
              document += `${space},`;
            }
            document += "]";
          } else {
            document += "{ ";
            for (const [index, [name, item]] of shape.table.entries()) {
              if (index > 0) document += " , ";
              here(joinPath(path, plain(name)));
              document += `${name} =`;
              write(joinPath(path, plain(name)), item);
            }
            document += " }";
          }
        };
        const writePairs = (path: string, all: [string, Shape][]) => {
          for (const [name, item] of all) {
            here(joinPath(path, plain(name)));
            document += `${name} = `;
            write(joinPath(path, plain(name)), item);
            document += " # end\n";
          }
        };
        // Tables have names of their own, so that they never meet a key.
        writePairs("", top);
        for (const { name, array, repeat, pairs, filler } of named) {
          for (let count = 0; count < (array ? repeat : 1); count++) {
            document += filler.endsWith("\n") ? filler : `${filler}\n`;
            const path = joinPath("table", plain(name)) + (array ? `[${count}]` : "");
            here(path);
            document += array ? `[[ table . ${name} ]]\n` : `[table.${name}]\n`;
            writePairs(path, pairs);
          }
        }
        parse(document);
        const lineOf = locate(document);
        for (const [path, line] of expected) {
          assert.equal(
            lineOf(path),
            line,
            `${path} in\n${document}`,
          );
        }
      },
    ),
    { numRuns: 500 },
  );
});
