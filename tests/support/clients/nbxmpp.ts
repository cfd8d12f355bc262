import { authorityFile } from "../certificates/certificates.ts";
import type { ClientKind } from "./client.ts";
import { packaged } from "./installed.ts";
import { lineClient } from "./line_client.ts";

/** Debian's: other ones do not see its modules. */
const PYTHON = "/usr/bin/python3";
const PROGRAM = new URL("nbxmpp_client.py", import.meta.url).pathname;

const common = {
  transport: "websocket",
  programs: [PYTHON, "/usr/lib/python3/dist-packages/nbxmpp/__init__.py"],
  version: () => packaged("python3-nbxmpp"),
} as const;

export const nbxmpp: readonly ClientKind[] = [
  {
    ...common,
    name: "nbxmpp over WebSocket",
    logIn: (url, credentials) =>
      lineClient(
        { path: PYTHON, args: [PROGRAM] },
        `${url.replace(/^http/, "ws")}/xmpp-websocket`,
        credentials,
      ),
  },
  {
    ...common,
    name: "nbxmpp over WebSocket, found by host-meta",
    discovers: true,
    logIn: (url, credentials) =>
      lineClient(
        { path: PYTHON, args: [PROGRAM, `--authority=${authorityFile}`] },
        url,
        credentials,
      ),
  },
];
