/**
 * Where sessions of the soak live. There are two worlds with one face: in one the clients' sockets
 * and the XMPP servers are objects, so that a million sessions take minutes; in the other they are
 * sockets of this machine. What an XMPP server does is decided by its name.
 */
import type { ConnectionManager } from "../../src/manager.ts";
import type { ManagerEvent } from "../../src/events.ts";
import { configOf, JumpingClock } from "../support/manager.ts";

/** One connection of a client; what comes is strings of one character a byte. */
export interface Line {
  /** The other side has ended its side, or all of it. */
  readonly isEnded: boolean;
  write(text: string | Uint8Array): void;
  /** Ends this side. */
  end(): void;
  /** Leaves without a word. */
  destroy(): void;
  /** Waits until this has come, and takes everything up to its end. */
  expect(pattern: RegExp): Promise<string>;
}

export interface World {
  readonly name: string;
  readonly manager: ConnectionManager;
  readonly clock: JumpingClock;
  readonly happenings: Happenings;
  connect(): Promise<Line>;
  /** Connections that the connection manager has; `undefined`: it is not known. */
  readonly connections: number | undefined;
  /** Lets what is under way go on. */
  turn(): Promise<void>;
}

/** XMPP servers, by what they do. */
export const SERVERS = {
  /** Offers PLAIN, lets everybody in, and says what it hears. */
  fine: "fine.test",
  /** Says nothing. */
  mute: "mute.test",
  /** Offers PLAIN, and drops the connection when it hears more than a header. */
  lost: "lost.test",
  /** Answers the header with a stream error. */
  gone: "gone.test",
  /** Does not accept connections. */
  refusing: "refusing.test",
  /** Agrees to TLS and does not speak it. */
  untls: "untls.test",
} as const;

/** The configuration of a world; `ports` are those of the servers that accept, and of those that do not. */
export function worldConfig(ports = { open: 1, closed: 1 }) {
  const domains = Object.values(SERVERS).map((name) => {
    const port = name === SERVERS.refusing ? ports.closed : ports.open;
    const tls = name === SERVERS.untls ? "required" : "never";
    return `[domains."${name}"]\nconnect = "xmpp://127.0.0.1:${port}"\ntls = "${tls}"\n`;
  });
  // A body and a message that are too long are short, so that many may be sent. Room for bodies that
  // was not given back would soon be missing.
  return configOf(
    "[http]\nmax_body = 20_000\n[limits]\nclient_stanza = 10_000\nbodies = 1_048_576\n" +
      domains.join(""),
  );
}

/** What there was to be heard of a connection manager. */
export class Happenings {
  readonly counts = new Map<string, number>();
  readonly faults: unknown[] = [];

  hear(event: ManagerEvent): void {
    this.counts.set(event.type, (this.counts.get(event.type) ?? 0) + 1);
    if (event.type === "fault") this.faults.push(event.error);
  }
}
