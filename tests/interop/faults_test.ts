import assert from "node:assert/strict";
import { authorityFile } from "../support/certificates/certificates.ts";
import { type Fault, FaultyRelay } from "../support/faulty_relay.ts";
import { runManager } from "../support/manager.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import { openRaw, scram, transports } from "../support/xmpp_clients_raw.ts";

const FAULTS: readonly Fault[] = ["stall", "reset", "half-close"];

Deno.test({
  name: "B-119 W-031 U-023 what a network does to the way to a real server, its client is told",
  ...haveProgram("prosody"),
  // The client's own WebSocket closes in its own time.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using server = await Prosody.start();
    await using relay = await FaultyRelay.to(server.port);
    await using running = await runManager({
      toml: `
        [upstream]
        ca = "${authorityFile}"
        connect_timeout = 1
        [domains."example.test"]
        connect = "xmpp://127.0.0.1:${relay.port}"
      `,
    });
    for (const transport of transports) {
      for (const fault of FAULTS) {
        // Before there is a stream.
        relay.fault = fault;
        const failed = await openRaw(transport, running.url);
        const why = {
          stall: "within 1 s",
          reset: "dropped the connection",
          "half-close": "closed",
        };
        assert.match(failed.opening, /remote-connection-failed/);
        assert.ok(failed.opening.includes(why[fault]), failed.opening);
        failed.drop();
      }
      for (const fault of ["reset", "half-close"] as const) {
        // In the middle of a session.
        relay.fault = undefined;
        const session = await openRaw(transport, running.url);
        assert.match(await scram(session, "romeo", ACCOUNTS.romeo!), /<success /);
        await session.restart();
        relay.fault = fault;
        const last = await session.ask("<presence/>", /remote-connection-failed/);
        assert.match(last, /The stream to example\.test was lost/);
        session.drop();
      }
    }
  },
});
