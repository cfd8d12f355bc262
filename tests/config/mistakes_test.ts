import assert from "node:assert/strict";
import { ConfigError, describeMistake } from "../../src/config/mistakes.ts";

Deno.test("describeMistake() names the source, the line and the key where there are some", () => {
  const message = "is wrong; write right";
  assert.equal(
    describeMistake({ source: "a.toml", line: 3, key: "log.level", message }),
    "a.toml:3: log.level: is wrong; write right",
  );
  assert.equal(
    describeMistake({ source: "a.toml", line: 3, key: "", message }),
    "a.toml:3: is wrong; write right",
  );
  assert.equal(
    describeMistake({ source: "--log-level", line: undefined, key: "log.level", message }),
    "--log-level: is wrong; write right",
  );
});

Deno.test("ConfigError tells all mistakes, the lines of the file first and in order", () => {
  const mistake = (source: string, line?: number) => ({ source, line, key: "", message: "m" });
  const error = new ConfigError([mistake("f", 9), mistake("E"), mistake("--f"), mistake("f", 2)]);
  assert.deepEqual(error.message.split("\n"), ["f:2: m", "f:9: m", "E: m", "--f: m"]);
  assert.deepEqual(error.mistakes.map(({ line }) => line), [2, 9, undefined, undefined]);
});
