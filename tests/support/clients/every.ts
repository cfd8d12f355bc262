import type { ClientKind } from "./client.ts";
import { gloox } from "./gloox.ts";
import { jboshLike } from "./jbosh_like.ts";
import { jsjacLike } from "./jsjac_like.ts";
import { libpurple } from "./libpurple.ts";
import { nbxmpp } from "./nbxmpp.ts";
import { pages } from "./pages.ts";
import { stanza } from "./stanza.ts";
import { streamsLike } from "./streams_like.ts";
import { strophe } from "./strophe.ts";
import { xmpp4r } from "./xmpp4r.ts";
import { xmppJs } from "./xmpp_js.ts";

/** What people use to speak XMPP through a connection manager, by transport and mode. */
export const everyClient: readonly ClientKind[] = [
  ...strophe,
  ...pages,
  ...stanza,
  ...xmppJs,
  ...gloox,
  ...libpurple,
  ...xmpp4r,
  ...nbxmpp,
  ...jsjacLike,
  ...jboshLike,
  ...streamsLike,
];
