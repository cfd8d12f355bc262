import assert from "node:assert/strict";
import fc from "fast-check";
import { Histogram } from "../../src/meter.ts";
import { exposition, formatFor } from "../../src/metrics/exposition.ts";
import { counter, type Family, gauge, histogram, type Labels } from "../../src/metrics/family.ts";
import { readExposition } from "../support/exposition.ts";

Deno.test("what would end a text is escaped, in each format as that has it", () => {
  const families = [
    gauge("a", 'say "no" \\ \n twice', [[{ label: 'a "quote", \\ and a\nline' }, -1.5]]),
    counter("b_total", "plain", 3),
  ];
  assert.equal(
    exposition(families, "prometheus"),
    '# HELP a say "no" \\\\ \\n twice\n# TYPE a gauge\n' +
      'a{label="a \\"quote\\", \\\\ and a\\nline"} -1.5\n' +
      "# HELP b_total plain\n# TYPE b_total counter\nb_total 3\n",
  );
  assert.equal(
    exposition(families, "openmetrics"),
    '# HELP a say \\"no\\" \\\\ \\n twice\n# TYPE a gauge\n' +
      'a{label="a \\"quote\\", \\\\ and a\\nline"} -1.5\n' +
      "# HELP b plain\n# TYPE b counter\nb_total 3\n# EOF\n",
  );
});

Deno.test("numbers are written as Prometheus reads them", () => {
  const values = [0, 1e21, 5e-324, 0.1 + 0.2, Infinity, -Infinity];
  const families = values.map((value, at) => gauge(`g${at}`, "x", value));
  const lines = exposition(families, "prometheus").split("\n").filter((line) => /^g/.test(line));
  assert.deepEqual(lines, [
    "g0 0",
    "g1 1e+21",
    "g2 5e-324",
    "g3 0.30000000000000004",
    "g4 +Inf",
    "g5 -Inf",
  ]);
});

Deno.test("a histogram has each value in the first bucket that it fits in, and in all beyond", () => {
  const lengths = new Histogram([0.5, 1, 2.5]);
  for (const value of [0, 0.5, 0.75, 1, 2, 2.5, 2.75, 1000.25]) lengths.observe(value);
  const { samples } = histogram("h", "x", [[{ of: "a" }, lengths]]);
  assert.deepEqual(samples.map(({ name, labels, value }) => [name, labels.le, value]), [
    ["h_bucket", "0.5", 2],
    ["h_bucket", "1.0", 4],
    ["h_bucket", "2.5", 6],
    ["h_bucket", "+Inf", 8],
    ["h_sum", undefined, 1009.75],
    ["h_count", undefined, 8],
  ]);
  assert.ok(samples.every(({ labels }) => labels.of === "a"));
});

Deno.test("whatever the families are, both formats say the same, and can be read back", () => {
  const unit = fc.constantFrom(
    '"',
    "\\",
    "\n",
    "\r",
    "{",
    "}",
    ",",
    "=",
    " ",
    "#",
    "n",
    "é",
    "\u2028",
  );
  const text = fc.string({ unit, maxLength: 12 });
  const labels: fc.Arbitrary<Labels> = fc.dictionary(fc.constantFrom("a", "_b", "c9"), text);
  const number = fc.double({ noNaN: true });
  const name = fc.constantFrom("a", "b_c", "d9");
  const family: fc.Arbitrary<Family> = fc.oneof(
    fc.tuple(name, text, fc.array(fc.tuple(labels, number), { maxLength: 3 }))
      .map(([name, help, values]) => gauge(name, help, values)),
    fc.tuple(name, text, number).map(([name, help, value]) =>
      counter(`${name}_total`, help, value)
    ),
    fc.tuple(
      name,
      text,
      labels,
      fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { maxLength: 9 }),
    )
      .map(([name, help, labels, values]) => {
        const lengths = new Histogram([0.1, 1, 3]);
        for (const value of values) lengths.observe(value);
        return histogram(name, help, [[labels, lengths]]);
      }),
  );
  fc.assert(
    fc.property(fc.array(family, { minLength: 1, maxLength: 4 }), (families) => {
      const expected = JSON.parse(JSON.stringify(families), reviver);
      for (const format of ["prometheus", "openmetrics"] as const) {
        const read = readExposition(exposition(families, format), format);
        assert.deepEqual(JSON.parse(JSON.stringify(read), reviver), expected);
      }
    }),
    { numRuns: 30 },
  );
});

/** There is one zero. */
function reviver(_: string, value: unknown): unknown {
  return value === 0 ? 0 : value;
}

Deno.test("who asks for OpenMetrics gets it, and nobody else does", () => {
  const prometheus = "application/openmetrics-text;version=1.0.0;q=0.8," +
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  assert.equal(formatFor(prometheus), "openmetrics");
  assert.equal(formatFor("application/openmetrics-text"), "openmetrics");
  assert.equal(formatFor('Application/OpenMetrics-Text; version="1.0.0"'), "openmetrics");
  for (
    const accept of [
      undefined,
      "",
      "*/*",
      "text/plain",
      "text/html,application/xhtml+xml,*/*;q=0.8",
      "application/openmetrics-text;q=0",
      "application/openmetrics-text;q=0.3,text/plain;q=0.5",
      "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
    ]
  ) assert.equal(formatFor(accept), "prometheus", accept);
});
