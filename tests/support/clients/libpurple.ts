import { join } from "node:path";
import { authorityFile } from "../certificates/certificates.ts";
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
      await Deno.copyFile(authorityFile, join(home, "authority.pem"));
      // The name in the certificate; all names are names of this machine.
      const named = url.replace(/^https:\/\/[^:]+/, "https://example.test");
      return await lineClient({ path, env: { HOME: home } }, named, credentials);
    },
    close: () => program.close(),
  },
];
