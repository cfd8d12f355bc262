import { programPath } from "../programs.ts";
import type { ClientKind, Credentials, XmppClient } from "./client.ts";
import { packaged } from "./installed.ts";
import { lineClient } from "./line_client.ts";

const PROGRAM = new URL("xmpp4r.rb", import.meta.url).pathname;

export const xmpp4r: readonly ClientKind[] = [{
  name: "xmpp4r over BOSH",
  transport: "bosh",
  programs: ["ruby", "/usr/share/rubygems-integration/all/specifications/xmpp4r-0.5.6.gemspec"],
  // It knows DIGEST-MD5, ANONYMOUS, and this.
  mechanism: "PLAIN",
  version: () => packaged("ruby-xmpp4r"),
  logIn: (url, credentials) => logIn(url, credentials),
}];

/** `route` is where it asks the connection manager to connect to. */
export function logIn(
  url: string,
  credentials: Credentials,
  { route }: { readonly route?: string } = {},
): Promise<XmppClient> {
  const args = [PROGRAM, ...(route === undefined ? [] : [`--route=${route}`])];
  return lineClient({ path: programPath("ruby"), args }, `${url}/http-bind`, credentials);
}
