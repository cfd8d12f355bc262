import type { ClientKind } from "./client.ts";
import { Compiled } from "./compiled.ts";
import { packaged } from "./installed.ts";
import { lineClient } from "./line_client.ts";

export type GlooxMode = "pipelining" | "persistent" | "legacy";

const program = new Compiled("g++", "gloox_client.cpp", "gloox");

/** One for each way in which it treats its connections. */
export const gloox: readonly (ClientKind & { readonly mode: GlooxMode })[] = [
  kind("pipelining"),
  kind("persistent"),
  kind("legacy"),
];

function kind(mode: GlooxMode): ClientKind & { readonly mode: GlooxMode } {
  return {
    mode,
    name: `gloox over BOSH, ${mode}`,
    transport: "bosh",
    programs: program.programs,
    version: () => packaged("libgloox-dev"),
    async logIn(url, credentials) {
      const { path } = await program.prepare();
      return await lineClient({ path, args: [mode] }, url, credentials);
    },
    close: () => program.close(),
  };
}
