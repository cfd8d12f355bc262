/**
 * The client libraries that run in this process. Sanitizers have to be off in tests that use them:
 * Strophe looks around every 100 ms and stops only some time after the end, and @xmpp/client leaves
 * its timers to run out.
 */
import type { ClientKind } from "./clients/client.ts";
import { strophe } from "./clients/strophe.ts";
import { xmppJs } from "./clients/xmpp_js.ts";

export const clientKinds: readonly ClientKind[] = [...strophe, ...xmppJs];
