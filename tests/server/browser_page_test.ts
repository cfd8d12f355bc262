import assert from "node:assert/strict";
import { OPERATOR_COOKIE } from "../../src/server/browser_pages.ts";
import { HttpConnection, type HttpRequest, type HttpResponse } from "../support/bosh_client.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";

const NAVIGATION = { Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };
const ROUTES = { bosh: "/http-bind", websocket: "/xmpp-websocket" };
const COOKIE = `theme=dark; ${OPERATOR_COOKIE}; other=2`;

async function ask(
  { url }: Pick<RunningManager, "url">,
  request: HttpRequest,
): Promise<HttpResponse & { readonly text: string }> {
  const connection = new HttpConnection(url);
  try {
    const response = await connection.send({ method: "GET", target: ROUTES.bosh, ...request });
    return { ...response, text: new TextDecoder().decode(response.body) };
  } finally {
    connection.abort();
  }
}

/** A manager whose listener serves these; with what the admin page wants, should it be among them. */
async function serving(services: readonly string[], toml = ""): Promise<RunningManager> {
  const password = await Deno.makeTempFile();
  await Deno.writeTextFile(password, "a password of the test");
  try {
    return await runManager({
      toml: `${toml}\n[[listen]]\nserve = ${JSON.stringify(services)}\n` +
        `[admin]\npath = "/ops"\npassword_file = "${password}"`,
    });
  } finally {
    await Deno.remove(password);
  }
}

onBothFronts(
  "B-012 a browser sees what the endpoint is, programs get the line of text",
  async () => {
    await using running = await serving(["bosh", "websocket"]);
    const host = new URL(running.url).host;
    for (
      const [target, heading, line] of [
        [ROUTES.bosh, "This is a BOSH endpoint for XMPP", /^This is a BOSH endpoint \(XEP-0124\)/],
        [`${ROUTES.bosh}/`, "This is a BOSH endpoint for XMPP", /^This is a BOSH endpoint/],
        [
          ROUTES.websocket,
          "This is a WebSocket endpoint for XMPP",
          /^This is a WebSocket endpoint/,
        ],
      ] as const
    ) {
      const page = await ask(running, { target, headers: NAVIGATION });
      assert.equal(page.status, 200);
      assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
      assert.ok(page.text.includes(`<h1>${heading}</h1>`), page.text);
      assert.ok(page.text.includes(`<code>http://${host}/http-bind</code>`), page.text);
      assert.ok(page.text.includes(`<code>ws://${host}/xmpp-websocket</code>`), page.text);
      for (const accept of [{}, { Accept: "*/*" }, { Accept: "application/json" }]) {
        const text = await ask(running, { target, headers: accept });
        assert.equal(text.headers.get("content-type"), "text/plain; charset=utf-8");
        assert.match(text.text, line);
      }
    }
  },
);

onBothFronts(
  "S-009 the page of an endpoint runs nothing, loads nothing and is not framed",
  async () => {
    await using running = await serving(["bosh"]);
    const { headers, text } = await ask(running, { headers: NAVIGATION });
    const policy = headers.get("content-security-policy") ?? "";
    const [, hash] =
      /^default-src 'none'; style-src 'sha256-([^']+)'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox$/
        .exec(policy) ?? assert.fail(policy);
    const [, style = ""] = /<style>([^<]*)<\/style>/.exec(text) ?? [];
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
    assert.equal(hash, new Uint8Array(digest).toBase64());
    assert.doesNotMatch(text, /<script|<img|<link|src=|style=|https?:\/\/(?!127\.0\.0\.1)/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("cache-control"), "no-store");
    // Only what is served is told of.
    assert.doesNotMatch(text, /WebSocket/);
  },
);

onBothFronts(
  "S-013 the page names the addresses that clients have, and quotes no stranger",
  async () => {
    await using running = await serving(
      ["bosh", "websocket"],
      `[domains."chat.test"]\nbosh_url = "https://x.test/bosh"\nwebsocket_url = "wss://x.test/ws"\n` +
        `[domains."*"]\n`,
    );
    const proxied = { ...NAVIGATION, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.test" };
    const behindProxy = await ask(running, { headers: proxied });
    assert.match(behindProxy.text, /<code>https:\/\/a\.test\/http-bind<\/code>/);
    assert.match(behindProxy.text, /<code>wss:\/\/a\.test\/xmpp-websocket<\/code>/);
    const configured = await ask(running, { headers: { ...NAVIGATION, Host: "chat.test" } });
    assert.match(configured.text, /<code>https:\/\/x\.test\/bosh<\/code>/);
    assert.match(configured.text, /<code>wss:\/\/x\.test\/ws<\/code>/);
    const hostile = { ...proxied, "X-Forwarded-Host": `"><script>alert(1)</script>` };
    const { text } = await ask(running, { headers: hostile });
    assert.doesNotMatch(text, /<script/);
  },
);

onBothFronts(
  "S-010 only a browser that was let in to the admin page is shown the way there",
  async () => {
    const link = `<a href="/ops/">`;
    await using running = await serving(["bosh", "admin"]);
    const shows = async (headers: Readonly<Record<string, string>>, from = running) =>
      (await ask(from, { headers: { ...NAVIGATION, ...headers } })).text.includes(link);
    assert.equal(await shows({ Cookie: COOKIE }), true);
    assert.equal(await shows({}), false);
    assert.equal(await shows({ Cookie: "causeway-operator=2" }), false);
    assert.equal(await shows({ Cookie: "not-causeway-operator=1" }), false);
    // A page of another origin that may read answers.
    assert.equal(await shows({ Cookie: COOKIE, Origin: "https://a.test" }), false);
    await using elsewhere = await serving(["bosh"]);
    assert.equal(await shows({ Cookie: COOKIE }, elsewhere), false);
  },
);

onBothFronts("J-000 J-001 a browser's request by GET is answered as one", async () => {
  await using running = await serving(["bosh"]);
  for (const query of ["data=%3Cbody/%3E", "data=%3Cbody/%3E&callback=f", "%3Cbody/%3E"]) {
    const target = `${ROUTES.bosh}?${query}`;
    const [plain, browser] = [
      await ask(running, { target }),
      await ask(running, { target, headers: NAVIGATION }),
    ];
    assert.doesNotMatch(browser.headers.get("content-type") ?? "", /html/);
    assert.equal(browser.text, plain.text);
  }
});
