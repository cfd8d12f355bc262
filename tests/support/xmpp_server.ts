import { Ejabberd } from "./ejabberd.ts";
import { record } from "./interop_record.ts";
import { Jabberd2, JABBERD2_PROGRAMS } from "./jabberd2.ts";
import { programPath } from "./programs.ts";
import { Prosody } from "./prosody.ts";

/**
 * A real XMPP server that serves `example.test`, with the certificate of that name, to the people
 * of `ACCOUNTS`, each of whom sees the other's presence. It takes a large stanza, and as many in a
 * second as there are.
 */
export interface XmppServer extends AsyncDisposable {
  /** For clients, with STARTTLS, on 127.0.0.1. */
  readonly port: number;
  /**
   * Waits until the connection that bound this full JID has ended. Rejects unless that was a clean
   * end: the client's `</stream:stream>` came (as far as the server {@link ServerKind.tellsEnds}),
   * there was no error, nothing is kept to be resumed, and the resource is gone.
   */
  cleanEnd(jid: string): Promise<void>;
  /** The SASL mechanism by which the connection that bound this full JID has authenticated. */
  mechanism(jid: string): Promise<string>;
}

export interface ServerKind {
  /** `Prosody` */
  readonly name: string;
  /** For `haveProgram`. */
  readonly programs: readonly string[];
  /** Whether its log tells a stream that was closed from a connection that went away. */
  readonly tellsEnds: boolean;
  /** `0.12.3` */
  version(): Promise<string>;
  start(): Promise<XmppServer>;
}

export const serverKinds: readonly ServerKind[] = [
  {
    name: "Prosody",
    programs: ["prosody"],
    tellsEnds: true,
    version: () => packaged("prosody"),
    start: () => Prosody.start({ certificate: "example.test", plain: true }),
  },
  {
    name: "ejabberd",
    programs: ["ejabberdctl", "erl"],
    tellsEnds: true,
    version: () => packaged("ejabberd"),
    start: () => Ejabberd.start(),
  },
  {
    name: "jabberd2",
    programs: JABBERD2_PROGRAMS,
    tellsEnds: false,
    version: () => packaged("jabberd2"),
    start: () => Jabberd2.start(),
  },
];

/** For docs/servers.md: one of them was used in a way that not all of them have. */
export async function recordUse(server: "Prosody" | "ejabberd", what: string): Promise<void> {
  if (!Deno.env.has("INTEROP_RECORD")) return;
  const kind = serverKinds.find(({ name }) => name === server)!;
  record({ server, serverVersion: await kind.version(), what });
}

/** The version of a package of Debian's, without what Debian adds to it. */
async function packaged(name: string): Promise<string> {
  const { stdout } = await new Deno.Command(programPath("dpkg-query"), {
    args: ["--show", "--showformat=${Version}", name],
  }).output();
  return new TextDecoder().decode(stdout).replace(/-[^-]*$/, "");
}
