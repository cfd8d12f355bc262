import assert from "node:assert/strict";
import { nearest } from "../../src/config/suggest.ts";

const KNOWN = ["max_wait", "max_hold", "path", "inactivity", "polling"];

Deno.test("nearest() finds the name that was meant when letters are wrong, missing, doubled or swapped", () => {
  for (
    const name of ["max_wiat", "maxwait", "max-wait", "MAX_WAIT", "MaxWait", "max_waits", "max_wat"]
  ) {
    assert.equal(nearest(name, KNOWN), "max_wait", name);
  }
  assert.equal(nearest("inactivty", KNOWN), "inactivity");
  assert.equal(nearest("pth", KNOWN), "path");
});

Deno.test("nearest() finds nothing when nothing is near", () => {
  for (const name of ["", "x", "port", "compress", "hold", "a".repeat(1e6)]) {
    assert.equal(nearest(name, KNOWN), undefined, name.slice(0, 20));
  }
});
