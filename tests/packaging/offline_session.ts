/**
 * Starts the program that was unpacked to a folder, with the configuration that came with it and an admin listener, asks
 * the latter for its status by REST and by GraphQL, and has a session by BOSH with an XMPP server: `deno run -A offline_session.ts FOLDER`,
 * in a network of its own, of which it makes the loopback first.
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

const [folder] = Deno.args;
const { success } = await new Deno.Command("ip", { args: ["link", "set", "lo", "up"] }).output();
assert.ok(success);

const server = await ScriptedServer.listen();
const home = await Deno.makeTempDir();
const file = `${home}/causeway.toml`;
const token = crypto.randomUUID();
await Deno.writeTextFile(`${home}/token`, token);
const configured = (await Deno.readTextFile(`${folder}/etc/causeway/causeway.toml`))
  .replace(/^port = 5280$/m, "port = 0")
  .replace(/^# token_file = .*$/m, `token_file = "${home}/token"`);
await Deno.writeTextFile(file, `${configured}\n[[listen]]\nport = 0\nserve = ["admin"]\n`);
const program = new Deno.Command(`${folder}/usr/bin/causeway`, {
  args: [
    ...["serve", "--config", file],
    ...["--domain", `example.test=xmpp://127.0.0.1:${server.port}`],
  ],
  clearEnv: true,
  env: {
    ...{ PATH: Deno.env.get("PATH")!, HOME: home, CAUSEWAY_UPSTREAM_TLS: "never" },
  },
  stdout: "piped",
  stderr: "piped",
}).spawn();
let said = "";
const heard = Promise.all([program.stdout, program.stderr].map(async (stream) => {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) said += text;
}));

try {
  const listening = /^causeway \S+ listening on (\S+)\ncauseway \S+ listening on (\S+)$/m;
  const [, url, admin] = await until(
    () => listening.exec(said) ?? undefined,
    "the program is ready",
  );
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const status = await fetch(`${admin}/admin/api/v1/status`, { headers });
  assert.equal(status.status, 200, await status.text());
  const query = JSON.stringify({ query: "{ __typename }" });
  const answer = await fetch(`${admin}/admin/graphql`, { method: "POST", headers, body: query });
  assert.match(await answer.text(), /"__typename"/);
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
  program.kill("SIGTERM");
} catch (error) {
  // deno-lint-ignore no-console
  console.error(said);
  throw error;
}
await heard;
assert.equal((await program.status).code, 0, said);
// It has left nothing with whom it ran for, and has looked for nothing there.
assert.deepEqual([...Deno.readDirSync(home)].map(({ name }) => name).sort(), [
  "causeway.toml",
  "token",
]);
await Deno.remove(home, { recursive: true });
// deno-lint-ignore no-console
console.log("a session was served");
Deno.exit();
