import assert from "node:assert/strict";
import { NS } from "../../../src/protocol/xml/names.ts";
import { declarationFault, Scopes } from "../../../src/protocol/xml/namespaces.ts";

Deno.test("scopes bind a prefix from its declaration to the end of that element", () => {
  const scopes = new Scopes();
  assert.equal(scopes.resolve("p", 1), undefined);
  scopes.declare("p", "u", 1);
  scopes.declare("p", "v", 3);
  scopes.declare("q", "w", 3);
  assert.equal(scopes.innermost, 3);
  assert.deepEqual([scopes.resolve("p", 3), scopes.resolve("q", 4)], ["v", "w"]);
  scopes.leave(3);
  assert.equal(scopes.innermost, 1);
  assert.deepEqual([scopes.resolve("p", 2), scopes.resolve("q", 2)], ["u", undefined]);
  scopes.clear();
  assert.deepEqual([scopes.resolve("p", 1), scopes.innermost], [undefined, 0]);
});

Deno.test("scopes bind xml always", () => {
  const scopes = new Scopes();
  assert.equal(scopes.resolve("xml", 2), NS.XML);
  assert.deepEqual(scopes.takeInherited(), []);
});

Deno.test("scopes remember which of the root's prefixes were used inside, until they are taken", () => {
  const scopes = new Scopes();
  scopes.declare("p", "u", 1);
  scopes.declare("q", "v", 1);
  scopes.resolve("q", 1);
  assert.deepEqual(scopes.takeInherited(), []);
  scopes.declare("q", "w", 2);
  scopes.resolve("q", 2);
  scopes.resolve("p", 3);
  scopes.resolve("p", 2);
  assert.deepEqual(scopes.takeInherited(), [{ prefix: "p", namespace: "u" }]);
  assert.deepEqual(scopes.takeInherited(), []);
  scopes.resolve("p", 2);
  scopes.clear();
  assert.deepEqual(scopes.takeInherited(), []);
});

Deno.test("declarationFault finds what Namespaces in XML forbids", () => {
  for (
    const [prefix, namespace] of [
      ...[["", ""], ["", "u"], ["p", "u"], ["xml", NS.XML], ["XMLNS", "u"], ["xmlfoo", "u"]],
    ] as [string, string][]
  ) assert.equal(declarationFault(prefix, namespace), undefined, `${prefix}=${namespace}`);
  for (
    const [prefix, namespace] of [
      ...[["p", ""], ["xml", ""], ["xml", "u"], ["xmlns", "u"], ["xmlns", ""]],
      ...[["", NS.XML], ["p", NS.XML], ["", NS.XMLNS], ["p", NS.XMLNS], ["xmlns", NS.XMLNS]],
    ] as [string, string][]
  ) assert.equal(typeof declarationFault(prefix, namespace), "string", `${prefix}=${namespace}`);
});
