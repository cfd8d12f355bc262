import type { Section } from "./conformance_entry.ts";

/** What a connection manager must do to be found, to find an XMPP server, and on its stream. */
export const upstream: readonly Section[] = [];
