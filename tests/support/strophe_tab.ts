import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { ACCOUNTS } from "./accounts.ts";
import type { Visitor } from "./clients/page_browser.ts";
import { until } from "./patience.ts";

/** Strophe's files, as pages name them. */
export const STROPHES = {
  "strophe.js 5": "/strophe.js/strophe.umd.min.js",
  "libjs-strophe 1.2": "/javascript/strophe/strophe.min.js",
} as const;

export type Strophe = keyof typeof STROPHES;

/** A tab with a page that speaks by Strophe, and keeps its session when it is loaded again. */
export class StropheTab {
  readonly page: Page;
  readonly #library: string;
  readonly #service: string;
  readonly #url: string;

  private constructor(page: Page, library: string, service: string) {
    this.page = page;
    this.#url = page.url();
    this.#library = library;
    this.#service = service;
  }

  static async open(visitor: Visitor, strophe: Strophe, service: string): Promise<StropheTab> {
    const page = await visitor.open("/pages/tab.html");
    const tab = new StropheTab(page, STROPHES[strophe], service);
    await tab.#load();
    return tab;
  }

  /** Without waiting for what comes of it. */
  async connect(user: "romeo" | "juliet", resource: string): Promise<void> {
    const args = [this.#service, `${user}@example.test/${resource}`, ACCOUNTS[user]!];
    await this.#call("connect", ...args);
  }

  /** Settles with its full JID. */
  async logIn(user: "romeo" | "juliet", resource: string): Promise<string> {
    await this.connect(user, resource);
    await this.says("CONNECTED");
    return `${user}@example.test/${resource}`;
  }

  async send(to: string, body: string): Promise<void> {
    await this.#call("send", to, body);
  }

  /** Leaves for a page where there is nothing. */
  async leave(): Promise<void> {
    await this.page.goto("about:blank");
  }

  /** Comes back to a page that knows nothing but what the tab's storage has. */
  async comeBack(): Promise<void> {
    await this.page.goto(this.#url);
    await this.#load();
  }

  /** Leaves for another page, in a browser that keeps this one as it is. */
  async freeze(): Promise<void> {
    await this.page.evaluate("addEventListener('pageshow', (e) => tab.thawed = e.persisted)");
    await this.page.goto(new URL("strophe.html", this.#url).href);
  }

  /** Goes back to the page as it was. */
  async thaw(): Promise<void> {
    await this.page.evaluate("void history.back()");
    const thawed = () => this.page.evaluate<boolean>("globalThis.tab?.thawed");
    await until(async () => await thawed().catch(() => false) || undefined, "the page is back");
  }

  /** Goes on with the session of the page before. */
  async restore(): Promise<void> {
    await this.#call("restore", this.#service);
  }

  async endWithPage(): Promise<void> {
    await this.#call("endWithPage", this.#service);
  }

  /** Waits until Strophe has said so of the connection; settles with that and the condition. */
  says(status: string): Promise<string> {
    const said = async () => (await this.statuses()).find((text) => text.split(" ")[0] === status);
    return until(said, `the page says ${status}`);
  }

  /** Waits for these messages, and sees that there are no others. */
  async receives(...bodies: readonly string[]): Promise<void> {
    const received = () => this.page.evaluate<string[]>("tab.received");
    const enough = async () => (await received()).length >= bodies.length || undefined;
    await until(enough, `the page has received ${bodies.length} messages`);
    assert.deepEqual(await received(), bodies);
  }

  async statuses(): Promise<string[]> {
    return await this.page.evaluate<string[]>("tab.statuses");
  }

  async #load(): Promise<void> {
    await this.page.addScriptTag({ url: this.#library });
    await this.page.addScriptTag({ url: "/pages/tab.js", type: "module" });
  }

  async #call(name: string, ...args: readonly unknown[]): Promise<void> {
    await this.page.evaluate(`tab.${name}(...${JSON.stringify(args)})`);
  }
}
