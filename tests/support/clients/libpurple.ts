import type { ClientKind } from "./client.ts";
import { Compiled } from "./compiled.ts";
import { packaged } from "./installed.ts";
import { lineClient } from "./line_client.ts";

const program = new Compiled("gcc", "purple_client.c", "purple");

/** What Pidgin and Finch are made of. */
export const libpurple: readonly ClientKind[] = [
  {
    name: "libpurple over BOSH",
    transport: "bosh",
    programs: program.programs,
    version: () => packaged("libpurple-dev"),
    async logIn(url, credentials) {
      const { path, home } = await program.prepare();
      return await lineClient({ path, env: { HOME: home } }, url, credentials);
    },
    close: () => program.close(),
  },
];
