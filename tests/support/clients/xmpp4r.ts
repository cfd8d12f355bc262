import { programPath } from "../programs.ts";
import { type ClientKind } from "./client.ts";
import { packaged } from "./installed.ts";
import { lineClient } from "./line_client.ts";

const PROGRAM = new URL("xmpp4r.rb", import.meta.url).pathname;

export const xmpp4r: readonly ClientKind[] = [
  {
    name: "xmpp4r over BOSH",
    transport: "bosh",
    programs: ["ruby", "/usr/share/rubygems-integration/all/specifications/xmpp4r-0.5.6.gemspec"],
    version: () => packaged("ruby-xmpp4r"),
    // Of what servers still offer it knows nothing else.
    mechanism: "PLAIN",
    logIn: (url, credentials) =>
      lineClient(
        { path: programPath("ruby"), args: [PROGRAM] },
        `${url}/http-bind`,
        credentials,
      ),
  },
];
