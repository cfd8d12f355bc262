import type { Locator, Page } from "playwright-core";
import { ACCOUNTS } from "./accounts.ts";
import type { PageBrowser, Visitor } from "./clients/page_browser.ts";

/** Where pictures of the pages are kept, for who wants to look at them. */
const ARTEFACTS = Deno.env.get("INTEROP_ARTEFACTS") ??
  new URL("../../dist/interop", import.meta.url).pathname;

/** Somebody in front of Converse, who knows no more of it than what it shows. */
export class ConversePerson implements AsyncDisposable {
  readonly name: "romeo" | "juliet";
  readonly visitor: Visitor;
  readonly #page: Page;
  #left = "";

  private constructor(name: "romeo" | "juliet", visitor: Visitor, page: Page) {
    this.name = name;
    this.visitor = visitor;
    this.#page = page;
  }

  /** Opens the page. `settings` are Converse's; for `exampleTest` see `PageOptions`. */
  static async visit(
    browser: PageBrowser,
    name: "romeo" | "juliet",
    settings: Readonly<Record<string, unknown>>,
    exampleTest?: number,
  ): Promise<ConversePerson> {
    const visitor = await browser.visitor({ exampleTest });
    try {
      const address = encodeURIComponent(JSON.stringify(settings));
      const page = await visitor.open(`/pages/converse_app.html?settings=${address}`);
      page.setDefaultTimeout(PATIENCE);
      return new ConversePerson(name, visitor, page);
    } catch (error) {
      await visitor[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Fills in the form, and sends it. */
  async logIn(): Promise<void> {
    await this.#page.locator("input[name=jid]").fill(`${this.name}@example.test`);
    await this.#page.locator("input[name=password]").fill(ACCOUNTS[this.name]!);
    await this.#page.getByRole("button", { name: "Log in" }).click();
    await this.isLoggedIn();
  }

  async isLoggedIn(): Promise<void> {
    await this.#page.locator(".userinfo").waitFor();
  }

  /** Waits until the form is there. */
  async isLoggedOut(): Promise<void> {
    await this.#page.locator("input[name=jid]").waitFor();
  }

  async openChat(name: "romeo" | "juliet"): Promise<void> {
    await this.#page.locator("converse-roster").getByText(`${name}@example.test`).click();
    await this.#draft.waitFor();
  }

  async write(text: string): Promise<void> {
    await this.#draft.fill(text);
    await this.#draft.press("Enter");
  }

  /** Waits until the chat that is open shows this text. */
  async reads(text: string): Promise<void> {
    await this.#texts.filter({ hasText: text }).first().waitFor();
  }

  /** All that the chat shows, of both. */
  async chat(): Promise<string[]> {
    return await this.#texts.allInnerTexts();
  }

  /** Loads the page again. */
  async reload(): Promise<void> {
    await this.#page.reload();
  }

  /** Goes to a page where there is nothing, in the same tab; settles when that is there. */
  async leave(): Promise<void> {
    this.#left = this.#page.url();
    await this.#page.goto("about:blank");
  }

  /** Goes to Converse again. */
  async comeBack(): Promise<void> {
    await this.#page.goto(this.#left);
  }

  async logOut(): Promise<void> {
    await this.#page.locator("a.show-profile").click();
    await this.#page.locator(".modal.show").getByText("Log out").click();
    await this.#page.locator("converse-confirm-modal.show [type=submit]").click();
    await this.isLoggedOut();
  }

  /** Takes a picture. */
  async picture(file: string): Promise<void> {
    await Deno.mkdir(ARTEFACTS, { recursive: true });
    await this.#page.screenshot({ path: `${ARTEFACTS}/${file}.png` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.visitor[Symbol.asyncDispose]();
  }

  get #draft(): Locator {
    return this.#page.locator("textarea.chat-textarea");
  }

  get #texts(): Locator {
    return this.#page.locator(".chat-msg__text");
  }
}

/** Milliseconds. */
const PATIENCE = 30_000;
