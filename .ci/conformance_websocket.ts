import type { Section } from "./conformance_entry.ts";

/** What a connection manager must do for WebSocket clients. */
export const websocket: readonly Section[] = [];
