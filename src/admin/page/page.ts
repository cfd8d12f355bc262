/** Serves the admin page. What it is made of is loaded when the first operator asks for it. */
import { OPERATOR_COOKIE } from "../../server/browser_pages.ts";
import type { Answer, Handler } from "../../server/exchange.ts";
import { textAnswer } from "../../server/http.ts";
import type { Gate } from "../gate.ts";
import { Problem } from "../problem.ts";

/** Deno would read at once all that an `import` names itself; `.ci/program.ts` tells the compiler of it. */
const ASSETS: string = "./assets.ts";

/** The page may load and reach itself alone, has no code but its files, and none that makes markup of text. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
  "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

/** The endpoints show a browser that has it the way here, for three months. */
const COOKIE = `${OPERATOR_COOKIE}; Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict`;

/** The page at `root` (without a slash at its end) and its files below, for operators that have been let in. */
export function adminPage(root: string, gate: Gate): Handler {
  const headers = {
    ...gate.headers,
    "cache-control": "private, no-cache",
    "content-security-policy": POLICY,
  };
  return (exchange) => {
    if (exchange.method !== "GET" && exchange.method !== "HEAD") {
      const problem = new Problem(405, "this path knows other methods; use GET or HEAD");
      return gate.problem(problem, { allow: "GET, HEAD" });
    }
    if (exchange.path === root) return withSlash(root, gate.headers);
    const known = exchange.header("if-none-match");
    answer(exchange.path.slice(root.length + 1), known).then((answer) => exchange.respond(answer));
    return undefined;
  };

  async function answer(name: string, known: string | undefined): Promise<Answer> {
    const { pageAssets }: typeof import("./assets.ts") = await import(ASSETS);
    const asset = (await pageAssets()).get(name);
    if (asset === undefined) {
      const detail = `nothing is here; ${root}/api/v1/openapi.json says what there is`;
      return gate.problem(new Problem(404, detail));
    }
    const { type, body, etag } = asset;
    const own = { ...headers, ...(name === "" ? { "set-cookie": COOKIE } : {}), etag };
    return known === etag
      ? { status: 304, headers: own }
      : { status: 200, headers: { ...own, "content-type": type }, body };
  }
}

/** The page's files are beside it, so its address has to end with a slash, whatever a proxy made of the rest. */
function withSlash(root: string, headers: Readonly<Record<string, string>>): Answer {
  const location = `${root.slice(root.lastIndexOf("/") + 1)}/`;
  return textAnswer(307, `See ${location}\n`, { ...headers, location });
}
