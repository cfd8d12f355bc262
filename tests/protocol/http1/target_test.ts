import assert from "node:assert/strict";
import { asRequest, octets, readHttp } from "../../support/http_codec.ts";

/** `path ? query @ Host`, or the refusal's status. */
function target(method: string, target: string, host = "a"): string | number {
  const text = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const [first] = readHttp([octets(text)], { fields: ["host"] });
  if (first?.type === "refusal") return first.status;
  const { line, fields } = asRequest(first);
  return `${line.split(" ")[1]} @ ${fields.host}`;
}

for (
  const [written, expected] of [
    ["/", "/ @ a"],
    ["/http-bind/", "/http-bind/ @ a"],
    ["/a?b=c?d&e", "/a?b=c?d&e @ a"],
    ["/a?", "/a @ a"],
    ["/?<body%20rid='1'/>", "/?<body%20rid='1'/> @ a"],
    ["//b/c", "//b/c @ a"],
    ["/%2e%2e/..", "/%2e%2e/.. @ a"],
    // §3.2.2: the target's authority counts, and Host does not.
    ["http://b/c?d", "/c?d @ b"],
    ["HTTP://b:8080/c", "/c @ b:8080"],
    ["https://[::1]:5280/c", "/c @ [::1]:5280"],
    ["http://b", "/ @ b"],
    ["http://b?d", "/?d @ b"],
    ["http:///c", 400],
    ["http://:80/c", 400],
    ["http://user@b/c", 400],
    ["http://b:x/c", 400],
    ["http:/b/c", 400],
    ["ftp://b/c", 400],
    ["b/c", 400],
    ["example.org:443", 400],
    ["*", 400],
    ["/a#b", 400],
    ["/a\x00b", 400],
    ["/a\x7fb", 400],
    ["/caf\xe9", 400],
    ["?a", 400],
  ] as const
) {
  Deno.test(`S-016 request target ${JSON.stringify(written)} is ${expected}`, () => {
    assert.equal(target("GET", written), expected);
  });
}

Deno.test("B-015 OPTIONS may ask of the server as a whole", () => {
  assert.equal(target("OPTIONS", "*"), "* @ a");
  assert.equal(target("OPTIONS", "**"), 400);
});

for (
  const [host, legal] of [
    ["", true],
    ["example.org", true],
    ["example.org:5280", true],
    ["example.org:", true],
    ["127.0.0.1:80", true],
    ["[::1]", true],
    ["[2001:db8::1]:443", true],
    ["[::ffff:1.2.3.4]", true],
    ["a_b~c!$&'()*+,;=", true],
    ["caf%C3%A9", true],
    ["[]", false],
    ["[::1", false],
    ["[::1]x", false],
    ["[v1.a]", false],
    ["[fe80::1%25eth0]", false],
    ["::1", false],
    ["a b", false],
    ["a/b", false],
    ["a?b", false],
    ["a@b", false],
    ["a#b", false],
    ['"a"', false],
    ["a:b", false],
    ["a:-1", false],
    ["a:80:80", false],
    ["a%2", false],
    ["a%zz", false],
    ["caf\xe9", false],
  ] as const
) {
  Deno.test(`S-016 Host ${JSON.stringify(host)} is ${legal ? "one" : "refused"}`, () => {
    assert.equal(target("GET", "/", host), legal ? `/ @ ${host}` : 400);
  });
}

Deno.test("S-016 HTTP/1.1 needs one Host, and no version takes two", () => {
  const status = (text: string) => {
    const [first] = readHttp([octets(text)]);
    return first?.type === "refusal" ? first.status : 200;
  };
  assert.equal(status("GET / HTTP/1.1\r\n\r\n"), 400);
  assert.equal(status("GET http://a/ HTTP/1.1\r\n\r\n"), 400);
  assert.equal(status("GET / HTTP/1.0\r\n\r\n"), 200);
  assert.equal(status("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
  assert.equal(status("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"), 400);
  assert.equal(status("GET http://a/ HTTP/1.1\r\nHost: b b\r\n\r\n"), 400);
});
