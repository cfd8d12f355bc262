import { createHash, X509Certificate } from "node:crypto";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { certificate } from "../certificates/certificates.ts";
import { CHROMIUM_FLAGS } from "../chromium.ts";
import { LeadingProxy } from "../leading_proxy.ts";
import { programPath } from "../programs.ts";
import { PageSite } from "./page_site.ts";

export interface PageOptions {
  /** The port of the loopback where `https://example.test` is; default: nowhere. */
  readonly exampleTest?: number | undefined;
  /** Called with what the page's script tells (by a function `tell` that it has). */
  readonly onTold?: ((word: string, ...rest: never[]) => void) | undefined;
}

/**
 * A Chromium for pages of the tests, each of them like a person's of its own. It reaches the loopback
 * and nothing else: no other name has an address for it. It trusts the certificate of example.test
 * besides what it always does.
 */
export class PageBrowser implements AsyncDisposable {
  readonly site: PageSite;
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
    this.site = new PageSite();
  }

  /** `without`: flags that playwright would start it with. */
  static async launch(without: readonly string[] = []): Promise<PageBrowser> {
    return new PageBrowser(
      await chromium.launch({
        executablePath: programPath("chromium"),
        args: [
          ...CHROMIUM_FLAGS,
          "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
          // It would ask its maker what the fields of a log-in form are for.
          "--autofill-server-url=http://127.0.0.1:9/",
          `--ignore-certificate-errors-spki-list=${keyOf(certificate("example.test").cert)}`,
        ],
        ignoreDefaultArgs: [...without],
      }),
    );
  }

  /** Somebody who has visited nothing yet. */
  async visitor({ exampleTest, onTold }: PageOptions = {}): Promise<Visitor> {
    const proxy = await LeadingProxy.start(
      exampleTest === undefined ? {} : { "example.test:443": exampleTest },
    );
    const context = await this.#browser.newContext({
      proxy: { server: proxy.url, bypass: "127.0.0.1" },
    });
    if (onTold) await context.exposeFunction("tell", onTold);
    return new Visitor(context, proxy, this.site.origin);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.site[Symbol.asyncDispose]();
  }
}

/** A profile of the browser: storage and cookies are its own, and so is what it has asked for. */
export class Visitor implements AsyncDisposable {
  readonly context: BrowserContext;
  /** What went wrong on its pages. */
  readonly mistakes: string[] = [];
  readonly #proxy: LeadingProxy;
  readonly #origin: string;
  readonly #asked = new Set<string>();

  constructor(context: BrowserContext, proxy: LeadingProxy, origin: string) {
    this.context = context;
    this.#proxy = proxy;
    this.#origin = origin;
    context.on("request", (request) => this.#asked.add(new URL(request.url()).host));
    context.on("weberror", (error) => this.mistakes.push(error.error().message));
    context.on("page", (page) => {
      page.on("websocket", (socket) => this.#asked.add(new URL(socket.url()).host));
      page.on("crash", () => this.mistakes.push("the page crashed"));
    });
  }

  /** Hosts other than the loopback that its pages asked for, whether they were let or not. */
  get elsewhere(): string[] {
    const asked = [...this.#asked].filter((host) => host !== "" && !/^127\.0\.0\.1:/.test(host));
    const refused = this.#proxy.refused.map((target) => target.replace(/:443$/, ""));
    return [...new Set([...asked, ...refused])].sort();
  }

  /** Opens a file of the site in a tab. */
  async open(path: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(`${this.#origin}${path}`);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await this.#proxy[Symbol.asyncDispose]();
  }
}

/** What Chromium calls a certificate's key: SHA-256 of its SubjectPublicKeyInfo, in base64. */
function keyOf(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}
