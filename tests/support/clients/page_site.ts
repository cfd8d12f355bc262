/** Where the pages of the tests are found, by the beginning of their path. */
const FOLDERS: Readonly<Record<string, () => string | Promise<string>>> = {
  "/pages/": () => new URL("pages/", import.meta.url).href,
  "/strophe.js/": () => new URL(".", import.meta.resolve("strophe.js")).href,
  "/converse.js/": () => converse ??= converseFolder(),
  // As Debian has web servers serve it.
  "/javascript/": () => "file:///usr/share/javascript/",
};

let converse: Promise<string> | undefined;

/**
 * Converse has a `deno.json` of its own: whatever is in ours is downloaded by everybody who only
 * starts the program, and it has 90 MB.
 */
async function converseFolder(): Promise<string> {
  const config = new URL("converse/deno.json", import.meta.url).pathname;
  await deno("install", "--quiet", "--frozen", "--config", config);
  const where = 'console.log(import.meta.resolve("converse.js"))';
  return new URL(".", await deno("eval", "--config", config, where)).href;
}

async function deno(...args: readonly string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`deno ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout).trim();
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  json: "application/json",
  wasm: "application/wasm",
  svg: "image/svg+xml",
  png: "image/png",
  woff2: "font/woff2",
  mp3: "audio/mpeg",
};

/** The web site of the pages: an origin of its own, so that a manager is another one to them. */
export class PageSite implements AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    this.#server = Deno.serve(options, (request) => answer(new URL(request.url).pathname));
    this.origin = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

async function answer(path: string): Promise<Response> {
  const beginning = Object.keys(FOLDERS).find((beginning) => path.startsWith(beginning));
  if (beginning === undefined) return new Response(null, { status: 404 });
  try {
    const folder = await FOLDERS[beginning]!();
    const file = await Deno.readFile(new URL(path.slice(beginning.length), folder));
    const type = MEDIA_TYPES[path.split(".").at(-1)!] ?? "application/octet-stream";
    return new Response(file, { headers: { "Content-Type": type } });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Response(null, { status: 404 });
    throw error;
  }
}
