/** The shape that every client of the tests has, be it a library, a page or a program. */

export interface Credentials {
  /** Of `example.test`. */
  readonly user: string;
  readonly password: string;
  readonly resource: string;
}

export interface ChatMessage {
  /** As the client chose it; some choose one of their own. */
  readonly id: string;
  readonly body: string;
}

/** What somebody is told of somebody else. */
export interface Presence {
  /** Full JID. */
  readonly from: string;
  readonly available: boolean;
  /** Empty if there is none. */
  readonly status: string;
}

/** A client of some library that has logged in and sent its presence. */
export interface XmppClient {
  /** Full JID. */
  readonly jid: string;
  /** Settles with the condition when the connection manager or the server ends the session. */
  readonly ended: Promise<string>;
  /** What it sent and received, as it was on the wire or as the library shows it. */
  readonly traffic: readonly string[];
  send(to: string, message: ChatMessage): void;
  /** The next message, and from whom. */
  receive(): Promise<ChatMessage & { readonly from: string }>;
  /** Asks the server something by an iq (what it likes best); settles with the answer's `type`. */
  ask(): Promise<string>;
  /** Tells whoever is subscribed to it that it is available, with this status. */
  show(status: string): void;
  /** The next presence of another resource. */
  presence(): Promise<Presence>;
  /** Logs out as the library does it, and settles when it thinks that it has. */
  logOut(): Promise<void>;
  /** Goes away without a word, where it would otherwise outlive a test that failed. */
  abandon?(): void;
}

export interface ClientKind {
  /** "gloox over BOSH, pipelining": in names of tests, and on the page of clients. */
  readonly name: string;
  readonly transport: "bosh" | "websocket";
  /** Programs and libraries that must be installed, as `haveProgram` takes them; default: none. */
  readonly programs?: readonly string[];
  /** It must be given an address with TLS, for it finds the endpoints by host-meta. */
  readonly discovers?: boolean;
  /** With what it authenticates, if not with SCRAM, which it then cannot. */
  readonly mechanism?: string;
  /** It takes a `*-PLUS` mechanism although it cannot: its operator has to hide them. */
  readonly takesPlus?: boolean;
  /** The library's version, from what is installed. */
  version(): Promise<string>;
  /** Logs in at a connection manager (`http://host:port`); rejects with a {@link LoginError}. */
  logIn(url: string, credentials: Credentials): Promise<XmppClient>;
  /** Lets go of what its clients shared: a compiled program, a browser. */
  close?(): Promise<void>;
}

/** The library could not log in. */
export class LoginError extends Error {
  override readonly name = "LoginError";
  /** As the library says it. */
  readonly condition: string;

  constructor(condition: string) {
    super(`cannot log in: ${condition}`);
    this.condition = condition;
  }
}
