/*
 * What a line of the log costs until it is handed to standard error: a session's event, as it comes from
 * the connection manager, and one that the level leaves out.
 */
import { eventLogger, Log } from "../../src/log.ts";
import type { ManagerEvent } from "../../src/events.ts";

const client = { address: "192.0.2.7", port: 4711, transport: "bosh" } as const;
const session = { session: "sX3kq9Lm", domain: "chat.example.org", client };
const created: ManagerEvent = { type: "session-created", ...session };
const ended: ManagerEvent = {
  type: "session-ended",
  ...session,
  condition: undefined,
  reason: "the client ended it",
  duration: 12_345.678,
};
const hostile: ManagerEvent = {
  ...created,
  userAgent: 'Mozilla/5.0 ("x")\u202e\n' + "é".repeat(200),
};
const hidden = { type: "responses-acknowledged", ...session, rid: 4711 } as ManagerEvent;

/** Keeps what is made from being found useless. */
let bytes = 0;

for (const format of ["text", "json"] as const) {
  const log = new Log({
    level: "info",
    format,
    write: (line) => void (bytes += line.length),
    now: Date.now,
  });
  const sink = eventLogger(log);
  Deno.bench(`a session created, ${format}`, { group: "created" }, () => sink(created));
  Deno.bench(`a session ended, ${format}`, { group: "ended" }, () => sink(ended));
  Deno.bench(`a stranger's agent, ${format}`, { group: "hostile" }, () => sink(hostile));
  Deno.bench(`below the level, ${format}`, { group: "below" }, () => sink(hidden));
}

globalThis.addEventListener("unload", () => {
  if (bytes === 0) throw new Error("Nothing was written");
});
