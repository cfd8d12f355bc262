/**
 * Takes the pictures of docs/admin.md: the admin page of a manager that has had an hour of visitors. The
 * hour goes by on the manager's clock, which is put forward.
 */
import { chromium } from "playwright-core";
import {
  authorization,
  OperatorStage,
  type Visit,
  type Visitor,
} from "../support/operator_stage.ts";
import { CHROMIUM_FLAGS } from "../support/chromium.ts";
import { programPath } from "../support/programs.ts";
import { smallerPng } from "../support/smaller_png.ts";

/** Seconds between two entries of the history. */
const STEP = 10;
const STEPS = 330;
const AGENTS = ["Gajim 2.3.0", "Movim 0.31", "JSXC 4.5", "Strophe.js", "libpurple 2.14.14"];

const stage = await OperatorStage.set();
const visitors: Visitor[] = [];
/** The same picture every time. */
let seed = 5;
const chance = () => (seed = seed * 16_807 % 2_147_483_647) / 2_147_483_647;
const pick = <T>(choices: readonly T[]) => choices[Math.floor(chance() * choices.length)]!;

function somebody(): Visit {
  const number = Math.floor(chance() * 250);
  return {
    transport: chance() < 0.4 ? "bosh" : "websocket",
    domain: pick(["example.org", "example.org", "chat.example.net", "example.com"]),
    userAgent: pick(AGENTS),
    address: chance() < 0.3 ? `2001:db8:${number.toString(16)}::1` : `198.51.100.${number}`,
  };
}

for (let step = 0; step < STEPS; step++) {
  // A quiet evening, and after two thirds of it a server that is restarted.
  const wanted = Math.round(34 + 14 * Math.sin(step / 55) + 4 * chance());
  const lost = step === Math.round(STEPS * 0.66) ? 22 : 0;
  const leaving = Math.max(lost, visitors.length - wanted, chance() < 0.2 ? 1 : 0);
  // Some of them take two seconds for it; nobody waits.
  for (const visitor of visitors.splice(0, leaving)) void visitor.leave();
  const coming = Math.min(3, wanted - visitors.length);
  for (let i = 0; i < coming; i++) visitors.push(await stage.visit(somebody()));
  if (step === STEPS - 30) {
    await stage.visit({ transport: "bosh", domain: "broken.test" }).catch(() => {});
  }
  for (let said = 6 + 4 * Math.sin(step / 40) + chance(); said > 0; said--) {
    const text = "x".repeat(Math.floor(150 + chance() * 100));
    pick(visitors).say(
      `<message xmlns='jabber:client' to='a@example.org'><body>${text}</body></message>`,
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 15));
  stage.clock.jump(STEP * 1000);
}

const browser = await chromium.launch({
  executablePath: programPath("chromium"),
  args: CHROMIUM_FLAGS,
});
const PICTURES = [
  { name: "admin.png", viewport: { width: 1280, height: 1300 } },
  { name: "admin-phone.png", viewport: { width: 360, height: 760 }, deviceScaleFactor: 1.5 },
];
for (const { name, ...look } of PICTURES) {
  const context = await browser.newContext({ ...look, extraHTTPHeaders: { authorization } });
  const page = await context.newPage();
  await page.goto(`${stage.url}/admin/`);
  await page.locator("[data-rows] tr").first().waitFor();
  const path = new URL(`../../docs/${name}`, import.meta.url).pathname;
  await Deno.writeFile(path, await smallerPng(browser, await page.screenshot()));
  await context.close();
}
await browser.close();
await stage[Symbol.asyncDispose]();
