/**
 * What the tests with real clients and servers have shown, for docs/clients.md and docs/servers.md:
 * a line of JSON for each, in the file that `INTEROP_RECORD` names. Nothing without it.
 */
export type Shown =
  /** A client did all that the matrix asks of it, at a server. */
  | {
    readonly client: string;
    readonly clientVersion: string;
    readonly server: string;
    readonly serverVersion: string;
  }
  /** A server was used in a way that not all of them have. */
  | { readonly server: string; readonly serverVersion: string; readonly what: string };

export function record(shown: Shown): void {
  const file = Deno.env.get("INTEROP_RECORD");
  if (file) Deno.writeTextFileSync(file, `${JSON.stringify(shown)}\n`, { append: true });
}
