import assert from "node:assert/strict";
import { Ejabberd } from "../support/ejabberd.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import { CREATE, post } from "../support/bosh_http.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { haveProgram } from "../support/programs.ts";
import { auth } from "../support/raw_client.ts";
import { bind, openRaw, type RawSession, transports } from "../support/xmpp_clients_raw.ts";
import { HANDSHAKE, RawWebSocket } from "../support/raw_websocket.ts";
import { recordUse } from "../support/xmpp_server.ts";

Deno.test({
  name:
    "U-007 U-008 X-013 W-024 an ejabberd behind the PROXY protocol sees each client, and lets it in",
  ...haveProgram("ejabberdctl", "erl"),
  // The client's own WebSocket closes in its own time.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using ejabberd = await Ejabberd.start();
    const places = [
      `xmpp://127.0.0.1:${ejabberd.proxiedPort}`,
      `xmpps://127.0.0.1:${ejabberd.proxiedDirectPort}`,
    ];
    let last = 0;
    for (const connect of places) {
      for (const version of [1, 2]) {
        await t.step(`${connect}, version ${version}`, async () => {
          await using running = await runManager({ toml: configuration(connect, version) });
          for (const open of [openBosh, openWebSocket]) {
            for (const client of [`203.0.113.${++last}`, `2001:db8::${last}`]) {
              assert.match(await open(running, client), /<mechanism>ANONYMOUS<\/mechanism>/);
              const address = client.replaceAll(".", "\\.");
              await ejabberd.logged(
                new RegExp(`Accepted proxied connection \\[?${address}\\]?:\\d+ -> `),
              );
            }
          }
          for (const transport of transports) await logIn(await openRaw(transport, running.url));
        });
      }
    }
    await recordUse("ejabberd", "the PROXY protocol");
    await recordUse("ejabberd", "direct TLS");
  },
});

async function logIn(session: RawSession): Promise<void> {
  await session.ask(auth("ANONYMOUS", ""), /<success /);
  await session.restart();
  assert.match(await bind(session, "here"), /<jid>[^<]+@example\.test\/here<\/jid>/);
  const query = "<iq xmlns='jabber:client' type='get' id='p'><query xmlns='urn:x'/></iq>";
  assert.match(await session.ask(query, /<\/iq>/), /id='p'/);
  session.drop();
}

function configuration(connect: string, version: number): string {
  return `
    [upstream]
    ca = "${authorityFile}"
    [domains."example.test"]
    connect = "${connect}"
    proxy_protocol = ${version}
  `;
}

/** What a client gets up to its stream's features, as a reverse proxy on this machine hands it on. */
async function openBosh(running: RunningManager, client: string): Promise<string> {
  // On a machine that is busy an ejabberd takes its time with the first of them.
  const create = CREATE.replace("wait='5'", "wait='60'");
  const response = await post(running, create, { "x-forwarded-for": client });
  return await response.text();
}

async function openWebSocket(running: RunningManager, client: string): Promise<string> {
  const socket = await RawWebSocket.connect(`${running.url}/xmpp-websocket`, {
    ...HANDSHAKE,
    "x-forwarded-for": client,
  });
  socket.text(
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>",
  );
  const opening = await socket.message() + await socket.message();
  socket.destroy();
  return opening;
}
