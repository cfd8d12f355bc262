import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { openApiDocument } from "../../src/admin/openapi.ts";
import { operations } from "../../src/admin/operations.ts";

Deno.test("openapi.json is OpenAPI 3.1, with every operation under a name of its own", async () => {
  const document = openApiDocument("/admin/api/v1");
  const validator = new Validator();
  const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(document)));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, "3.1");
  // What a request may say beyond `properties` is refused, and the document says so.
  const text = JSON.stringify(document);
  assert.match(text, /"additionalProperties":false/);
  assert.equal(new Set(operations.map(({ id }) => id)).size, operations.length);
  for (const { id, path } of operations) {
    assert.ok(text.includes(`"${id}"`) && text.includes(`"${path}"`));
  }
  // No reference leads nowhere.
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(text.includes(`"${name}":{`), name);
  }
});

Deno.test("the validator sees what is no OpenAPI", async () => {
  const { paths: _, ...rest } = openApiDocument("/");
  const broken = { ...rest, paths: { "/x": { get: { responses: 5 } } } };
  assert.equal((await new Validator().validate(broken)).valid, false);
});
