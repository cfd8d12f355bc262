import type { ClientKind } from "./client.ts";
import { strophe } from "./strophe.ts";
import { xmppJs } from "./xmpp_js.ts";

/** What people use to speak XMPP through a connection manager, by transport and mode. */
export const everyClient: readonly ClientKind[] = [...strophe, ...xmppJs];
