// Runs apart: a browser takes all processors that there are.
import assert from "node:assert/strict";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { startDemo } from "../../src/commands/demo.ts";
import { Log } from "../../src/log.ts";
import { CHROMIUM_FLAGS } from "../support/chromium.ts";
import { currentFront, onBothFronts } from "../support/fronts.ts";
import { haveProgram, programPath } from "../support/programs.ts";

// One browser for all the tests of this file: it takes seconds to start.
let browser: Promise<Browser> | undefined;
Deno.test.afterAll(async () => await (await browser)?.close());

/** A test with the demo and somebody on its page, who has never been there; both leave whatever happens. */
function test(
  name: string,
  visit: (page: DemoPage, stop: () => Promise<void>) => Promise<void>,
): void {
  onBothFronts({
    name,
    ...haveProgram("chromium"),
    // The browser stays.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const log = new Log({ level: "error", format: "text", write() {}, now: Date.now });
      const demo = await startDemo({ log, port: 0, front: currentFront() });
      let stopped: Promise<void> | undefined;
      const stop = () => stopped ??= demo.stop();
      const context = await (await (browser ??= launch())).newContext();
      try {
        const page = await context.newPage();
        const mistakes: string[] = [];
        page.on("pageerror", (error) => mistakes.push(error.message));
        page.on("requestfailed", (request) => mistakes.push(request.url()));
        await page.goto(`${demo.urls[0]}/`);
        await visit(new DemoPage(page), stop);
        if (stopped === undefined) assert.deepEqual(mistakes, []);
      } finally {
        await context.close();
        await stop();
      }
    },
  });
}

function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: programPath("chromium"), args: CHROMIUM_FLAGS });
}

type Name = "alice" | "bob";
type Transport = "BOSH" | "WebSocket";

/** The page, by the hooks that it has for this. */
class DemoPage {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  async isConnected(name: Name, transport: Transport): Promise<void> {
    await this.find(name, `[data-status]:text-is("connected over ${transport}")`).waitFor();
  }

  async write(name: Name, text: string): Promise<void> {
    await this.find(name, "[data-draft]").fill(text);
    await this.find(name, "[data-draft]").press("Enter");
  }

  /** Waits for a message in somebody's chat. */
  async shows(name: Name, direction: "in" | "out", text: string): Promise<void> {
    await this.find(name, `[data-message=${direction}]`).getByText(text, { exact: true }).waitFor();
  }

  /** Waits for an entry of the wire log. */
  async wire(
    name: Name,
    direction: "up" | "down",
    transport: Transport,
    text: string,
  ): Promise<Locator> {
    const entry = this
      .find(name, `[data-direction=${direction}][data-transport=${transport.toLowerCase()}]`)
      .filter({ hasText: text });
    await entry.first().waitFor();
    return entry.first();
  }

  async choose(name: Name, transport: Transport): Promise<void> {
    await this.find(name, ".transport").getByText(transport, { exact: true }).click();
  }

  async count(name: string): Promise<number> {
    return Number(await this.#page.locator(`[data-count=${name}]`).textContent());
  }

  async click(action: string): Promise<void> {
    await this.#page.locator(`[data-action=${action}]:enabled`).click();
  }

  find(name: Name, selector: string): Locator {
    return this.#page.locator(`[data-person=${name}] ${selector}`);
  }
}

test("the demo page connects alice over BOSH and bob over WebSocket by itself", async (page) => {
  await page.isConnected("alice", "BOSH");
  await page.isConnected("bob", "WebSocket");
  await page.find("alice", ".note").getByText("Bob is here.").waitFor();
  await page.find("bob", ".note").getByText("Alice is here.").waitFor();
});

test("the demo page carries chat both ways, and the wire log shows both directions", async (page) => {
  await page.isConnected("alice", "BOSH");
  await page.isConnected("bob", "WebSocket");
  for (
    const [from, to, text] of [["alice", "bob", "a <b> & c"], [
      "bob",
      "alice",
      "d \u2764 e",
    ]] as const
  ) {
    await page.write(from, text);
    await page.shows(from, "out", text);
    await page.shows(to, "in", text);
  }
  const up = await page.wire("alice", "up", "BOSH", "a &lt;b&gt; &amp; c");
  assert.match(await up.getAttribute("data-rid") ?? "", /^\d+$/);
  const down = await page.wire("alice", "down", "BOSH", "d \u2764 e");
  assert.match(await down.getAttribute("data-rid") ?? "", /^\d+$/);
  await page.wire("bob", "up", "WebSocket", "d \u2764 e");
  await page.wire("bob", "down", "WebSocket", "a &lt;b&gt; &amp; c");
  for (const name of ["round-trips", "websocket-messages", "stanzas-up", "stanzas-down"]) {
    assert.ok(await page.count(name) > 0, name);
  }
});

test("the demo page lets each of them change the transport and go on", async (page) => {
  await page.isConnected("alice", "BOSH");
  await page.isConnected("bob", "WebSocket");
  await page.choose("alice", "WebSocket");
  await page.isConnected("alice", "WebSocket");
  await page.choose("bob", "BOSH");
  await page.isConnected("bob", "BOSH");
  await page.write("alice", "one");
  await page.shows("bob", "in", "one");
  await page.write("bob", "two");
  await page.shows("alice", "in", "two");
  await page.wire("alice", "up", "WebSocket", "one");
  await page.wire("bob", "up", "BOSH", "two");
});

test("the demo page disconnects and connects again, and a message to nobody comes back", async (page) => {
  await page.isConnected("alice", "BOSH");
  await page.isConnected("bob", "WebSocket");
  await page.find("bob", "[data-action=connect]").click();
  await page.find("bob", `[data-status]:text-is("not connected")`).waitFor();
  await page.find("alice", ".note").getByText("Bob is away.").waitFor();
  await page.write("alice", "anybody?");
  await page.find("alice", ".note").getByText("Bob is not there").waitFor();
  await page.find("bob", "[data-action=connect]").click();
  await page.isConnected("bob", "WebSocket");
  await page.write("alice", "welcome back");
  await page.shows("bob", "in", "welcome back");
});

test("the demo page shows a greeting at one click", async (page) => {
  await page.click("hello");
  await page.shows("bob", "in", "Hello Bob! Can you hear me?");
  await page.shows("alice", "in", "By WebSocket: one long connection. Nice causeway!");
});

test("the demo page never shows what SASL elements carry", async (page) => {
  await page.isConnected("alice", "BOSH");
  await page.isConnected("bob", "WebSocket");
  for (const name of ["alice", "bob"] as const) {
    const shown = await page.find(name, "[data-wire]").innerText();
    const contents = [
      ...shown.matchAll(/<(auth|challenge|response|success)\b[^>]*>([^<]*)<\/\1>/g),
    ];
    assert.deepEqual(
      contents.map(([, element, content]) => [element, content]),
      ["auth", "challenge", "response", "success"].map((element) => [element, "\u2026"]),
    );
  }
});

test("the demo page says so when the demo is stopped", async (page, stop) => {
  await page.isConnected("alice", "BOSH");
  await page.isConnected("bob", "WebSocket");
  await stop();
  for (const name of ["alice", "bob"] as const) {
    await page.find(name, "[data-status]").getByText("the demo was stopped").waitFor();
    await page.find(name, "[data-action=connect]:text-is('Connect')").waitFor();
  }
});
