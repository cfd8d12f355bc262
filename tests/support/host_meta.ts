import assert from "node:assert/strict";
import type { Link } from "../../src/server/discovery.ts";
import { parseXml } from "./xml_element.ts";

/** The links of an XRD document, which may hold nothing else. */
export function readXrd(text: string): Link[] {
  const declaration = "<?xml version='1.0' encoding='utf-8'?>\n";
  assert.ok(text.startsWith(declaration), text);
  const root = parseXml(text.slice(declaration.length));
  assert.equal(root.name, "XRD");
  assert.equal(root.namespace, "http://docs.oasis-open.org/ns/xri/xrd-1.0");
  const links: Link[] = [];
  for (const child of root.children) {
    if (typeof child === "string") {
      assert.equal(child.trim(), "");
      continue;
    }
    assert.equal(child.name, "Link");
    assert.equal(child.namespace, root.namespace);
    assert.deepEqual([...child.attributes.keys()].sort(), ["href", "rel"]);
    const [rel, href] = ["rel", "href"].map((name) => child.attributes.get(name)!.value);
    links.push({ rel: rel!, href: href! });
  }
  return links;
}

/** The links of a JSON document, which may hold nothing else. */
export function readJrd(text: string): Link[] {
  const document = JSON.parse(text);
  assert.deepEqual(Object.keys(document), ["links"]);
  for (const link of document.links) assert.deepEqual(Object.keys(link).sort(), ["href", "rel"]);
  return document.links;
}
