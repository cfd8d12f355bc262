/**
 * Starts the program that was unpacked to a folder, with the configuration that came with it, and has a session by BOSH
 * with an XMPP server: `deno run -A offline_session.ts FOLDER [--isolated]`. With `--isolated` it is in a network of its
 * own, of which it makes the loopback first; without, a proxy that is not there takes what goes elsewhere.
 */
import assert from "node:assert/strict";
import { BoshClient } from "../support/bosh_client.ts";
import { until } from "../support/patience.ts";
import {
  MECHANISMS,
  ScriptedServer,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { CREATION, idsOf, message, nextHeader } from "../conformance/stage.ts";

const [folder, isolated] = Deno.args;
if (isolated) {
  const { success } = await new Deno.Command("ip", { args: ["link", "set", "lo", "up"] }).output();
  assert.ok(success);
}

const server = await ScriptedServer.listen();
const home = await Deno.makeTempDir();
const nowhere = "http://127.0.0.1:9";
const program = new Deno.Command(`${folder}/usr/bin/causeway`, {
  args: [
    ...["serve", "--config", `${folder}/etc/causeway/causeway.toml`, "--listen", "127.0.0.1:0"],
    ...["--domain", `example.test=xmpp://127.0.0.1:${server.port}`],
  ],
  clearEnv: true,
  env: {
    ...{ PATH: Deno.env.get("PATH")!, HOME: home, CAUSEWAY_UPSTREAM_TLS: "never" },
    ...isolated ? {} : { HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere },
  },
  stdout: "piped",
  stderr: "piped",
}).spawn();
let said = "";
const heard = Promise.all([program.stdout, program.stderr].map(async (stream) => {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) said += text;
}));

try {
  const url = await until(
    () => /^causeway \S+ listening on (\S+)$/m.exec(said)?.[1],
    "the program is ready",
  ).catch((error) => Promise.reject(new Error(said, { cause: error })));
  const client = new BoshClient(`${url}/http-bind`);
  const creating = client.create(CREATION);
  const upstream = await server.accept();
  await nextHeader(upstream);
  upstream.write(streamHeader("up") + streamFeatures(MECHANISMS));
  assert.match((await creating).text, /<mechanism>PLAIN<\/mechanism>/);
  const waiting = client.send("", message("from the client"));
  await upstream.expect("id='from the client'");
  upstream.write(message("from the server"));
  assert.deepEqual(idsOf(await waiting.answer), ["from the server"]);
  await client.ask("type='terminate'");
  client.close();
} finally {
  program.kill("SIGTERM");
  await program.status;
}
await heard;
assert.equal((await program.status).code, 0, said);
// It has left nothing with whom it ran for, and has looked for nothing there.
assert.deepEqual([...Deno.readDirSync(home)], []);
await Deno.remove(home);
// deno-lint-ignore no-console
console.log("a session was served");
Deno.exit();
