// Runs apart: a browser takes all processors that there are.
import assert from "node:assert/strict";
import axe from "axe-core";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { authorization, OPERATOR, OperatorStage } from "../support/operator_stage.ts";
import { CHROMIUM_FLAGS } from "../support/chromium.ts";
import { until } from "../support/patience.ts";
import { haveProgram, programPath } from "../support/programs.ts";

// One browser and one manager for all the tests of this file: it takes seconds to start them.
let browser: Promise<Browser> | undefined;
let stage: Promise<OperatorStage> | undefined;
Deno.test.afterAll(async () => {
  await (await browser)?.close();
  await (await stage)?.[Symbol.asyncDispose]();
});

type Look = Parameters<Browser["newContext"]>[0];

/** A test with the page before an operator who has never been there; whoever came for it leaves. */
function test(
  name: string,
  visit: (page: AdminPage, stage: OperatorStage) => Promise<void>,
  look: Look = {},
): void {
  Deno.test({
    name,
    ...haveProgram("chromium"),
    // Browser and manager stay.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const running = await (stage ??= OperatorStage.set());
      const context = await (await (browser ??= launch())).newContext({
        // To be asked for a password has Playwright look at each request.
        ...(look?.httpCredentials ? {} : { extraHTTPHeaders: { authorization } }),
        viewport: { width: 1280, height: 800 },
        ...look,
      });
      context.setDefaultTimeout(Number(Deno.env.get("PW") ?? 30000));
      try {
        const page = new AdminPage(await context.newPage(), running);
        await visit(page, running);
        assert.deepEqual(page.mistakes, []);
      } finally {
        await context.close();
        await running.empty();
        await running.begin();
      }
    },
  });
}

function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: programPath("chromium"), args: CHROMIUM_FLAGS });
}

/** The page, by the hooks that it has for this. */
class AdminPage {
  readonly mistakes: string[] = [];
  readonly page: Page;
  readonly #stage: OperatorStage;

  constructor(page: Page, stage: OperatorStage) {
    this.page = page;
    this.#stage = stage;
    page.on("pageerror", (error) => this.mistakes.push(error.message));
    page.on("dialog", (dialog) => this.mistakes.push(`a dialog: ${dialog.message()}`));
  }

  get context(): BrowserContext {
    return this.page.context();
  }

  async open(hash = ""): Promise<this> {
    await this.page.clock.install();
    await this.page.goto(`${this.#stage.url}/admin/${hash}`);
    await this.page.locator('[data-state-word]:text("Serving")').waitFor();
    return this;
  }

  /** Has the page look again, as it does after some seconds. */
  async wait(): Promise<void> {
    await this.page.clock.runFor(5_000);
  }

  find(selector: string): Locator {
    return this.page.locator(selector);
  }

  row(session: string): Locator {
    return this.find(`[data-session="${session}"]`);
  }

  fact(name: string, text: string): Promise<void> {
    return this.find(`[data-fact=${name}]:text-is("${text}")`).waitFor();
  }

  /** What those hear who do not see the page. */
  announces(text: string): Promise<void> {
    return this.find("[data-announcement]").getByText(text).waitFor({ state: "attached" });
  }

  /** Nothing that axe finds is wrong with the page, or with the dialog that is open before it. */
  async isAccessible(what: string): Promise<void> {
    const { violations } = await this.page.evaluate<axe.AxeResults>(
      `axe.run([...document.querySelectorAll("dialog[open]")].at(-1) ?? document, { resultTypes: ["violations"] })`,
    );
    const found = violations.map(({ id, nodes }) =>
      `${id}: ${nodes.map(({ html }) => html).join(" ")}`
    );
    assert.deepEqual(found, [], what);
  }
}

test("the admin page shows state, sessions and load, and keeps up", async (page, stage) => {
  await stage.visit();
  await stage.visit({ transport: "bosh", userAgent: "Gajim" });
  // The history has an entry every ten seconds.
  stage.clock.jump(10_000);
  await page.open();
  await page.fact("sessions", "2");
  const chart = page.find("[data-chart=sessions]");
  assert.deepEqual(await chart.locator("dd").allTextContents(), ["1", "1"]);
  assert.match(
    await chart.locator("svg").getAttribute("aria-label") ?? "",
    /^Sessions: BOSH 1, WebSocket 1 now; .* to 2 together in the last hour$/,
  );
  assert.match(await chart.locator(".line-0.line").getAttribute("d") ?? "", /^M/);
  await page.find("[data-rows] tr >> nth=1").waitFor();
  await stage.visit();
  stage.clock.jump(10_000);
  await page.wait();
  await page.fact("sessions", "3");
  await chart.locator("dd >> nth=1").getByText("2", { exact: true }).waitFor();
  assert.equal(await page.find("[data-rows] tr").count(), 3);
}, { httpCredentials: OPERATOR });

test(
  "the admin page says of each XMPP server how it is, and what went wrong",
  async (page, stage) => {
    await stage.visit();
    await assert.rejects(stage.visit({ transport: "bosh", domain: "broken.test" }));
    await page.open();
    const failing = page.find("[data-upstreams] tr[data-health=failing]");
    await failing.getByText("broken.test").waitFor();
    await failing.getByText("Failing").waitFor();
    await failing.getByText(/refused/).waitFor();
    await page.find("[data-upstreams] tr[data-health=ok]").getByText("example.test").waitFor();
    await page.find(".tally").getByText("remote-connection-failed").waitFor();
    await page.find("[data-recent] li").first().getByText(/refused/).waitFor();
  },
);

test("the admin page finds, orders and turns pages of sessions", async (page, stage) => {
  const first = await stage.visit({ transport: "bosh", userAgent: "Gajim", domain: "a.test" });
  const second = await stage.visit({ domain: "b.test" });
  await page.open();
  const rows = page.find("[data-rows] tr");
  const order = () => rows.evaluateAll((rows) => rows.map((row) => row.dataset.session));
  await rows.nth(1).waitFor();
  assert.deepEqual(await order(), [second.session, first.session]);
  await page.find("[data-sort=age] button").click();
  await page.find('[data-sort=age][aria-sort="descending"]').waitFor();
  await until(async () => (await order())[0] === first.session ? true : undefined, "it is turned");
  for (const text of ["GAJIM", "a.test", first.session]) {
    await page.find("[name=search]").fill(text);
    await page.page.clock.runFor(300);
    await page.announces("1 session found.");
    assert.deepEqual(await order(), [first.session]);
    await page.find("[name=search]").fill("");
    await page.page.clock.runFor(300);
    await page.announces("2 sessions found.");
  }
  await page.find("[name=transport]").selectOption("websocket");
  await page.page.clock.runFor(300);
  await page.announces("1 session found.");
  assert.deepEqual(await order(), [second.session]);
  await page.find("[name=state]").selectOption("connecting");
  await page.page.clock.runFor(300);
  await page.announces("0 sessions found.");
  await page.find("[data-no-sessions]").waitFor();
  await page.find("[name=state]").selectOption("");
  await page.find("[name=transport]").selectOption("");
  await Promise.all(Array.from({ length: 24 }, () => stage.visit()));
  await page.wait();
  await page.find("[data-page-words]:text('1 to 25 of 26')").waitFor();
  // Whoever is quicker than the answer turns one page all the same.
  await page.find("[data-page=on]").dblclick();
  await page.find("[data-page-words]:text('26 to 26 of 26')").waitFor();
  assert.equal(await rows.count(), 1);
  // The button that was pressed is off now: the focus is at the other one.
  assert.equal(await page.find("[data-page=back]:focus").count(), 1);
  await page.page.keyboard.press("Enter");
  await page.find("[data-page-words]:text('1 to 25 of 26')").waitFor();
});

test("the admin page shows a session's stanzas, and ends it", async (page, stage) => {
  for (const transport of ["websocket", "bosh"] as const) {
    const visitor = await stage.visit({ transport });
    await page.open(`#session=${visitor.session}`);
    const dialog = page.find("[data-dialog=session][open]");
    await dialog.locator("dd").getByText("logged in").waitFor();
    await dialog.locator("[data-action=trace]").click();
    await dialog.locator("[data-trace-words]:text('It runs.')").waitFor();
    const hello = "<message id='m1' to='b@example.test'><body>&lt;b&gt; hello</body></message>";
    visitor.say(hello.replace("<message", "<message xmlns='jabber:client'"));
    for (const direction of ["up", "down"]) {
      await dialog.locator(`[data-direction=${direction}]`).getByText("&lt;b&gt; hello").waitFor();
    }
    await dialog.locator("[data-action=pause]").click();
    visitor.say("<presence xmlns='jabber:client' id='p1'/>");
    await dialog.locator("[data-action=pause]:text('Go on (2)')").waitFor();
    assert.equal(await dialog.locator("[data-direction]").count(), 2);
    await dialog.locator("[data-action=pause]").click();
    assert.equal(await dialog.locator("[data-direction]").count(), 4);
    await page.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await dialog.locator("[data-action=copy]").click();
    await dialog.locator("[data-trace-words]:text('4 lines copied.')").waitFor();
    const copied = await page.page.evaluate<string>("navigator.clipboard.readText()");
    assert.match(copied, /^\d\d:\d\d:\d\d ↑ <message .*hello.*\n.* ↓ <message /);
    await dialog.locator("[data-action=clear]").click();
    assert.equal(await dialog.locator("[data-direction]").count(), 0);
    await dialog.locator("[data-action=end]").click();
    await page.find("[data-dialog=end][open] [name=reason]").fill("too loud <&>");
    await page.page.keyboard.press("Enter");
    await page.announces("This session has ended");
    assert.match(await visitor.ended, /too loud &lt;&amp;/);
    await dialog.locator("[data-gone]").getByText("too loud <&>").waitFor();
    await page.page.keyboard.press("Escape");
    await page.row(visitor.session).waitFor({ state: "detached" });
    assert.equal(await page.find("#sessions:focus").count(), 1);
  }
});

test("the admin page drains and serves again when that is confirmed", async (page, stage) => {
  await stage.visit();
  await page.open();
  await page.find("[data-action=drain]:text-is('Drain…')").click();
  await page.find("[data-dialog=drain]").getByText("One session stays").waitFor();
  await page.page.keyboard.press("Escape");
  assert.equal(stage.manager.state, "serving");
  await page.find("[data-action=drain]").click();
  await page.find("[data-dialog=drain] [data-confirm]").click();
  await page.find(".state[data-state=draining]").getByText("Draining").waitFor();
  await page.announces("Causeway is draining now.");
  assert.equal(stage.manager.state, "draining");
  await page.find("[data-action=drain]:text-is('Serve again…')").click();
  await page.find("[data-dialog=drain] [data-confirm]").click();
  await page.announces("Causeway is serving now.");
  assert.equal(stage.manager.state, "serving");
});

test(
  "the admin page sets the log level, reloads, and shows what is in force",
  async (page, stage) => {
    await page.open();
    await page.find("[data-log-level]").selectOption("debug");
    await page.announces("The log level is debug now.");
    assert.equal(stage.logLevel, "debug");
    await page.find("[data-action=config]").click();
    const config = page.find("[data-config]");
    await config.getByText('"password_file"').waitFor();
    assert.ok(!(await config.textContent())?.includes(OPERATOR.password));
    await page.page.keyboard.press("Escape");
    const reload = async (report: Partial<OperatorStage["report"]>, ...said: string[]) => {
      stage.report = { applied: [], restart: [], mistakes: [], ...report };
      await page.find("[data-action=reload]").click();
      await page.find("[data-dialog=reload] [type=submit]").click();
      for (const text of said) await page.find("[data-report]").getByText(text).waitFor();
      await page.page.keyboard.press("Escape");
    };
    await reload({}, "Nothing has changed");
    const applied = ["limits.sessions", "domains"];
    await reload(
      { applied, restart: ["listen"] },
      "Applied",
      "domains",
      "Wants a restart",
      "listen",
    );
    const mistake = "limits.sessions: no number (causeway.toml, line 3)";
    await reload({ mistakes: [mistake] }, "nothing has changed", mistake);
  },
);

test("the admin page shows what strangers choose as text", async (page, stage) => {
  const evil = "<img src=x onerror=alert(1)>";
  const { session } = await stage.visit({
    transport: "bosh",
    userAgent: evil.replace("<", "&lt;").replace(">", "&gt;"),
  });
  await page.open();
  await page.row(session).getByText(evil).waitFor();
  await page.row(session).locator("button").click();
  await page.find("[data-details]").getByText(evil).waitFor();
  await page.find("[data-action=end]").click();
  await page.find("[data-who]").getByText(evil).waitFor();
  await page.page.keyboard.press("Escape");
  await page.page.keyboard.press("Escape");
  await page.open(`#session=${encodeURIComponent(evil)}`);
  await page.find("[data-gone]:text('has ended')").waitFor();
  assert.equal(await page.find("[data-dialog=session] h2").textContent(), `Session ${evil}`);
  assert.equal(await page.find("img:not([src='icon.svg'])").count(), 0);
});

test("the admin page says when Causeway is lost, and since when", async (page, stage) => {
  await page.open();
  await stage.end();
  await page.wait();
  await page.find("[data-lost]").getByText(/No connection to Causeway since \d\d:\d\d:\d\d/)
    .waitFor();
  await page.announces("The connection to Causeway is lost: it cannot be reached.");
  await stage.begin();
  await page.wait();
  await page.find("[data-lost]").waitFor({ state: "hidden" });
  await page.announces("Causeway answers again.");
});

test("the admin page asks for nothing while nobody can see it", async (page, stage) => {
  await page.open();
  let asked = 0;
  page.page.on("request", () => asked++);
  const hide = (isHidden: boolean) =>
    page.page.evaluate(`
      Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    `);
  await hide(true);
  await page.page.clock.runFor(60_000);
  assert.equal(asked, 0);
  await stage.visit();
  await hide(false);
  await page.fact("sessions", "1");
});

test("the admin page is used by keyboard alone", async (page, stage) => {
  const { session } = await stage.visit();
  await page.open();
  await page.row(session).waitFor();
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.page.keyboard.press(key);
  };
  /** What has the focus, and is seen to. */
  const focused = async () => {
    const [text, outline] = await page.page.evaluate<[string, string]>(
      "[document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]",
    );
    assert.equal(outline, "solid", text);
    return text.trim().replace(/\s+/g, " ");
  };
  const walk: string[] = [];
  for (let step = 0; step < 5; step++) {
    await press("Tab");
    walk.push(await focused());
  }
  assert.deepEqual(walk, [
    "Skip to the sessions",
    "error warn info debug",
    "Configuration",
    "Reload…",
    "Drain…",
  ]);
  await press("Enter");
  await page.find("[data-dialog=drain][open]").waitFor();
  assert.equal(await focused(), "Cancel");
  await press("Escape");
  assert.equal(await focused(), "Drain…");
  await press("Shift+Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab", "Enter");
  // Search, transport, state, three headers, and the first session.
  await press(..."Tab ".repeat(7).trim().split(" "));
  assert.equal(await focused(), session);
  await press("Enter");
  await page.find("[data-dialog=session][open]").waitFor();
  assert.equal(await focused(), "End session…");
  await press("Enter");
  await page.find("[data-dialog=end][open]").waitFor();
  await press("Escape");
  assert.equal(await focused(), "End session…");
  await press("Tab", "Tab", "Enter");
  await page.find("[data-trace-words]:text('It runs.')").waitFor();
  await press("Escape");
  assert.equal(await page.find("dialog[open]").count(), 0);
  assert.equal(await focused(), session);
});

for (const look of ["light", "dark"] as const) {
  const size = look === "light" ? { width: 1280, height: 800 } : { width: 360, height: 740 };
  test(
    `the admin page has no violation that axe finds, ${look}, ${size.width} pixels wide, and fits in`,
    async (page, stage) => {
      const { session } = await stage.visit({
        transport: "bosh",
        userAgent: "An agent whose name has no end ".repeat(8),
        address: "2001:db8:1234:5678:9abc:def0:1234:5678",
        domain: `${"long-".repeat(10)}name.${"and-longer-".repeat(4)}end.test`,
      });
      await assert.rejects(stage.visit({ transport: "bosh", domain: "broken.test" }));
      stage.clock.jump(10_000);
      await page.context.addInitScript({ content: axe.source });
      await page.open();
      await page.row(session).waitFor();
      const check = async (what: string) => {
        await page.isAccessible(what);
        const width = await page.page.evaluate("document.documentElement.scrollWidth");
        assert.equal(width, size.width, what);
      };
      await check("the page");
      await page.row(session).locator("button").click();
      await page.find("[data-details]").getByText("logged in").waitFor();
      await page.find("[data-action=trace]").click();
      await page.find("[data-trace-words]:text('It runs.')").waitFor();
      await check("a session");
      await page.find("[data-action=end]").click();
      await check("its end");
      await page.page.keyboard.press("Escape");
      await page.page.keyboard.press("Escape");
      // The rest is looked at in one of both: axe takes its time.
      if (look === "light") {
        await stage.end();
        await page.wait();
        await page.find("[data-lost]:visible").waitFor();
        return await check("a lost connection");
      }
      stage.report = { applied: ["domains"], restart: ["listen"], mistakes: [] };
      for (const action of ["config", "reload", "drain"]) {
        await page.find(`[data-action=${action}]`).click();
        if (action === "reload") {
          await page.find("[data-dialog=reload] [type=submit]").click();
          await page.find("[data-report]").getByText("domains").waitFor();
        }
        if (action === "config") await page.find("[data-config]").getByText("listen").waitFor();
        await check(action);
        await page.page.keyboard.press("Escape");
      }
    },
    { colorScheme: look, viewport: size, reducedMotion: look === "light" ? "reduce" : null },
  );
}

test(
  "S-010 the page of an endpoint leads an operator, and nobody else, to the admin page",
  async (page, stage) => {
    await page.page.goto(`${stage.url}/http-bind`);
    await page.find("h1:text-is('This is a BOSH endpoint for XMPP')").waitFor();
    assert.equal(await page.find("a").count(), 0);
    await page.open();
    for (const path of ["/http-bind", "/xmpp-websocket"]) {
      await page.page.goto(`${stage.url}${path}`);
      const background = await page.page.evaluate(
        "getComputedStyle(document.body).backgroundColor",
      );
      assert.equal(background, "rgb(244, 243, 238)", "its style is let through");
      await page.find("a:text-is('Admin page')").click();
      await page.find('[data-state-word]:text("Serving")').waitFor();
    }
  },
);
