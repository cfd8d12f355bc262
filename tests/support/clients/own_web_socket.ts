/** Deno's own WebSocket: Strophe.js puts another one in its place as soon as it is loaded. */
export const OwnWebSocket = globalThis.WebSocket;
