import assert from "node:assert/strict";
import { parse } from "smol-toml";
import { sections } from "../../src/config/keys.ts";
import { load } from "../support/configuration.ts";

const EXAMPLE = new URL("../../config.example.toml", import.meta.url);

interface Shown {
  readonly section: string;
  readonly name: string;
  readonly value: string;
  readonly commented: boolean;
  readonly summary: string | undefined;
}

/** The keys of the example file in order, with the comment line above each. */
function shown(example: string): Shown[] {
  const keys: Shown[] = [];
  let section = "top";
  let before = "";
  for (const line of example.split("\n")) {
    const header = /^(?:# )?\[+(\w+)(?:\."[^"]+")?\]+$/.exec(line);
    const pair = /^(# )?([a-z_]+) = (.+)$/.exec(line);
    if (header !== null) section = header[1]!;
    if (pair !== null) {
      keys.push({
        section,
        name: pair[2]!,
        value: pair[3]!,
        commented: pair[1] !== undefined,
        summary: /^# (.+)$/.exec(before)?.[1],
      });
    }
    before = line;
  }
  return keys;
}

Deno.test("config.example.toml shows every key with its default and its summary, and nothing else", () => {
  const keys = shown(Deno.readTextFileSync(EXAMPLE));
  const expected = Object.entries(sections).flatMap(([section, keys]) =>
    Object.entries(keys).map(([name, key]) => ({
      section,
      name,
      value: key.default ?? key.example,
      commented: key.default === undefined,
      summary: key.summary,
    }))
  );
  const found = keys.map((key) => ({
    ...key,
    value: key.commented ? key.value : structuredClone(parse(`value = ${key.value}`).value),
  }));
  assert.deepEqual(found, expected);
});

Deno.test("config.example.toml comes to the built-in defaults", () => {
  assert.deepEqual(load(Deno.readTextFileSync(EXAMPLE)), load(undefined));
});

/** How many files the example of a key names. */
const FILES: Readonly<Record<string, number>> = {
  "listen.tls": 2,
  "listen.client_ca": 1,
  "upstream.ca": 1,
  "upstream.client_cert": 1,
  "upstream.client_key": 1,
  "admin.password_file": 1,
  "admin.token_file": 1,
};

Deno.test("examples of absent keys are legal values, and every default is legal and comes to itself", () => {
  const noFile = (path: string): never => {
    throw new Error(path);
  };
  for (const [section, keys] of Object.entries(sections)) {
    for (const [name, key] of Object.entries(keys)) {
      const mistakes: string[] = [];
      const report = (message: string) => void mistakes.push(message) as undefined;
      const toml = key.default === undefined ? key.example! : JSON.stringify(key.default);
      const { value } = parse(`value = ${toml}`, { integersAsBigInt: true });
      const read = key.kind.read(value, { report, readFile: noFile });
      // Whether a certificate is there is not the example's business.
      const files = FILES[`${section}.${name}`] ?? 0;
      const unread = mistakes.filter((mistake) =>
        /^cannot read|^there is no such file/.test(mistake)
      );
      assert.equal(mistakes.length, unread.length, `${section}.${name}: ${mistakes}`);
      assert.equal(unread.length, files, `${section}.${name}: ${mistakes}`);
      if (key.default !== undefined) assert.deepEqual(read, key.default, `${section}.${name}`);
    }
  }
});

Deno.test("summaries are one line that fits", () => {
  for (const keys of Object.values(sections)) {
    for (const [name, { summary }] of Object.entries(keys)) {
      assert.match(summary, /^[^\n]{10,98}$/, name);
    }
  }
});
