/** The admin API of the program itself, as an operator has it: with the controls, the log and the files that it has. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { BoshClient } from "../support/bosh_client.ts";
import { Events } from "../support/admin_stage.ts";
import type { Front } from "../support/fronts.ts";
import { ServeProcess } from "../support/serve_process.ts";
import {
  MECHANISMS,
  ScriptedServer,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { CREATION, message, nextHeader } from "./stage.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
/** What nobody may find in the log. */
const MARK = "secret-mark";

for (const [format, front] of [["text", "sockets"], ["json", "deno"]] as const) {
  Deno.test(
    "S-004 an operator watches, ends, drains, reloads and sets the log's level while the program runs, and the log has" +
      ` nothing that logs anybody in (${front})`,
    () => operate(format, front),
  );
}

async function operate(format: "text" | "json", front: Front): Promise<void> {
  const folder = await Deno.makeTempDir();
  await using server = await ScriptedServer.listen();
  try {
    const write = (name: string, text: string) => Deno.writeTextFile(join(folder, name), text);
    const first = `${MARK}-password`;
    const second = `${MARK}-password-two`;
    const token = `${MARK}-token`;
    await write("password", `${first}\n`);
    await write("token", `${token}\n`);
    const configure = (sessions: string) =>
      write(
        "causeway.toml",
        `[[listen]]\nport = 0\nserver = "${front}"\nserve = ["bosh", "health", "admin"]\n` +
          `[limits]\nsessions = ${sessions}\n` +
          `[admin]\npassword_file = "password"\ntoken_file = "token"\n[log]\nformat = "${format}"\n` +
          `[domains."example.test"]\nconnect = "xmpp://127.0.0.1:${server.port}"\ntls = "never"\n`,
      );
    await configure("100");
    await using causeway = new ServeProcess(["serve", "--config", join(folder, "causeway.toml")]);
    const url = await causeway.url;
    const ask = async (
      path: string,
      { method = "GET", body, authorization = `Bearer ${token}` }: {
        readonly method?: string;
        readonly body?: unknown;
        readonly authorization?: string;
      } = {},
    ) => {
      const response = await fetch(`${url}/admin${path}`, {
        method,
        headers: { authorization, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      // deno-lint-ignore no-explicit-any -- JSON
      return { status: response.status, json: await response.json() as any };
    };
    const basic = (password: string) => `Basic ${btoa(`admin:${password}`)}`;
    const post = { method: "POST" };

    assert.equal(
      (await ask("/api/v1/log-level", { method: "PUT", body: { level: "debug" } })).status,
      200,
    );
    assert.equal((await ask("/api/v1/status", { authorization: basic(first) })).status, 200);
    assert.equal(
      (await ask("/api/v1/status", { authorization: basic(`${MARK}-wrong`) })).status,
      401,
    );
    assert.equal((await ask(`/api/v1/${MARK}?${MARK}=${MARK}`)).status, 404);
    assert.equal(
      (await ask("/api/v1/log-level", { method: "PUT", body: { level: MARK } })).status,
      400,
    );
    assert.ok(
      (await ask("/graphql", { ...post, body: { query: `{ ${MARK.replace("-", "_")} }` } })).json
        .errors,
    );

    // A login, watched.
    const client = new BoshClient(`${url}/http-bind`);
    const creating = client.create(CREATION);
    const upstream = await server.accept();
    await nextHeader(upstream);
    upstream.write(streamHeader("1") + streamFeatures(MECHANISMS));
    await creating;
    const session = client.sid.slice(0, 8);
    const response = await fetch(`${url}/admin/api/v1/sessions/${session}/trace`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const events = new Events(response);
    const credentials = btoa(`\0alice\0${MARK}`);
    const held = client.send("", `<auth ${SASL} mechanism='PLAIN'>${credentials}</auth>`);
    await upstream.expect("</auth>");
    upstream.write(`<success ${SASL}>${credentials}</success>${message(1)}`);
    await held.answer;
    const shown: string[] = [];
    for (let i = 0; i < 3; i++) shown.push((await events.next())!.data.xml);
    assert.ok(!shown.join().includes(credentials), shown.join());
    assert.equal(shown[2], message(1));

    const ready = async () => {
      const response = await fetch(`${url}/health/ready`);
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await ready(), 200);
    assert.deepEqual((await ask("/api/v1/drain", post)).json, { state: "draining" });
    assert.equal(await ready(), 503);
    assert.deepEqual((await ask("/api/v1/undrain", post)).json, { state: "serving" });
    assert.equal(await ready(), 200);

    // A reload with a mistake changes nothing; one without has the new password at once.
    await write("password", `${second}\n`);
    await configure('"many"');
    const refused = await ask("/api/v1/reload", post);
    assert.equal(refused.status, 422);
    assert.match(refused.json.mistakes.join(), /limits\.sessions/);
    assert.equal((await ask("/api/v1/status", { authorization: basic(first) })).status, 200);
    await configure("200");
    const reloaded = await ask("/api/v1/reload", post);
    assert.equal(reloaded.status, 200, JSON.stringify(reloaded.json));
    assert.ok(reloaded.json.applied.includes("limits.sessions"), JSON.stringify(reloaded.json));
    assert.equal((await ask("/api/v1/config")).json.limits.sessions, 200);
    assert.equal((await ask("/api/v1/status", { authorization: basic(first) })).status, 401);
    assert.equal((await ask("/api/v1/status", { authorization: basic(second) })).status, 200);

    const ended = await ask(`/api/v1/sessions/${session}`, {
      method: "DELETE",
      body: { reason: "so that it is seen" },
    });
    assert.equal(ended.status, 202);
    assert.equal((await client.ask()).condition, "policy-violation");
    assert.deepEqual((await events.next())!.event, "ended");
    await events[Symbol.asyncDispose]();
    const { json: { recent } } = await ask("/api/v1/errors");
    assert.match(recent[0].text, /^session ended .*so that it is seen/);
    client.close();

    const { code, stdout, stderr } = await causeway.terminate();
    assert.equal(code, 0, stderr);
    assert.ok(!(stdout + stderr).includes(MARK), stderr);
    assert.ok(!stderr.includes(credentials) && !stderr.includes(btoa(`admin:${first}`)), stderr);
    for (
      const what of [
        "login to the admin API refused",
        "an operator ended a session",
        "an operator drains",
        "an operator reloads the configuration",
        "so that it is seen",
      ]
    ) assert.ok(stderr.includes(what), `"${what}" is not in the log: ${stderr}`);
    assert.ok(!stderr.includes("fault"), stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
