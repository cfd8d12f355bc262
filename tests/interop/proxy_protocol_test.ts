import assert from "node:assert/strict";
import { Ejabberd } from "../support/ejabberd.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import { CREATE, post } from "../support/bosh_http.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { haveProgram } from "../support/programs.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";

Deno.test({
  name: "an ejabberd behind the PROXY protocol sees the client, by BOSH and by WebSocket",
  ...haveProgram("ejabberdctl", "erl"),
  async fn() {
    await using ejabberd = await Ejabberd.start();
    let last = 0;
    for (const version of [1, 2]) {
      for (const [scheme, port] of [["xmpp", ejabberd.port], ["xmpps", ejabberd.directPort]]) {
        await using running = await runManager({
          toml: `
            [upstream]
            ca = "${authorityFile}"
            [domains."example.test"]
            connect = "${scheme}://127.0.0.1:${port}"
            proxy_protocol = ${version}
          `,
        });
        for (const open of [openBosh, openWebSocket]) {
          for (const client of [`203.0.113.${++last}`, `2001:db8::${last}`]) {
            assert.match(await open(running, client), /<mechanism>ANONYMOUS<\/mechanism>/);
            const address = client.replaceAll(".", "\\.");
            await ejabberd.logged(
              new RegExp(`Accepted proxied connection \\[?${address}\\]?:\\d+ -> `),
            );
          }
        }
      }
    }
  },
});

/** What a client gets up to its stream's features, as a reverse proxy on this machine hands it on. */
async function openBosh(running: RunningManager, client: string): Promise<string> {
  const response = await post(running, CREATE, { "x-forwarded-for": client });
  return await response.text();
}

async function openWebSocket(running: RunningManager, client: string): Promise<string> {
  const socket = await RawWebSocket.connect(`${running.url}/xmpp-websocket`, {
    "sec-websocket-protocol": "xmpp",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "x-forwarded-for": client,
  });
  socket.text(
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>",
  );
  const opening = await socket.message() + await socket.message();
  socket.destroy();
  return opening;
}
