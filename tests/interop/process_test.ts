import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { authorityFile } from "../support/certificates/certificates.ts";
import { haveProgram } from "../support/programs.ts";
import { patiently } from "../support/patience.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { NameServer } from "../support/upstream_dns.ts";
import { clientKinds } from "../support/xmpp_clients.ts";
import { openRaw, scram, transports } from "../support/xmpp_clients_raw.ts";

const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.test' version='1.0'/>";
const ANY_FREE_PORT = ["--listen", "127.0.0.1:0"];

Deno.test({
  name: "B-122 S-004 W-033 a process that is told to end tells its clients, and its JSON " +
    "log of all that has no password, sid, SASL payload or message",
  ...haveProgram("prosody"),
  // The libraries leave timers behind; see xmpp_clients.ts.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using server = await Prosody.start();
    using file = temporaryFile(`
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server.port}"
      ca = "${authorityFile}"
      [log]
      level = "debug"
      format = "json"
    `);
    await using causeway = new ServeProcess(["serve", ...ANY_FREE_PORT, "--config", file.path]);
    const url = await causeway.url;

    const clients = await Promise.all(clientKinds.map((kind, i) => {
      const resource = `resource-${i}`;
      return kind.logIn(url, { user: "romeo", password: ACCOUNTS.romeo!, resource });
    }));
    for (const [i, client] of clients.entries()) {
      const next = clients[(i + 1) % clients.length]!;
      client.send(next.jid, { id: "1", body: "with-a-kiss-I-die" });
      assert.equal((await next.receive()).body, "with-a-kiss-I-die");
    }
    for (const transport of transports) {
      const session = await openRaw(transport, url);
      assert.match(await scram(session, "juliet", "no-password-of-hers"), /<failure /);
      session.drop();
    }

    const bystander = new WebSocket(`${url.replace("http", "ws")}/xmpp-websocket`, "xmpp");
    await new Promise((resolve) => bystander.onopen = resolve);
    bystander.send(OPEN);
    await new Promise((resolve) => bystander.onmessage = resolve);
    const closed = new Promise<number>((resolve) =>
      bystander.onclose = ({ code }) => resolve(code)
    );

    const ending = await causeway.terminate();
    assert.equal(await patiently(closed, "the WebSocket is closed"), 1001);
    for (const client of clients) {
      assert.equal(await patiently(client.ended, "the client was told"), "system-shutdown");
      await server.session(client.jid);
    }
    assert.equal(ending.code, 0, ending.stderr);
    assert.match(ending.stdout, /^causeway \S+ listening on http:\/\/127\.0\.0\.1:\d+\n$/);

    const records = ending.stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
    const messages = new Set(records.map(({ message }) => message));
    for (const expected of ["session created", "session ended", "shut down"]) {
      assert.ok(messages.has(expected), `"${expected}" is not in the log: ${ending.stderr}`);
    }
    const secrets = secretsOf(clients.flatMap(({ traffic }) => traffic));
    for (const secret of [...secrets, ACCOUNTS.romeo!, "no-password-of-hers", "with-a-kiss"]) {
      assert.ok(!ending.stderr.includes(secret), `${secret} is in the log: ${ending.stderr}`);
    }
  },
});

Deno.test("S-006 a listener that strangers reach and no domains end the start with status 2 and the cure", async () => {
  using file = temporaryFile('[[listen]]\naddress = "0.0.0.0"\nport = 0\n');
  await using causeway = new ServeProcess(["serve", "--config", file.path]);
  const { code, stdout, stderr } = await patiently(causeway.ended, "the process has ended");
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, new RegExp(`^${RegExp.escape(file.path)}:2: `));
  assert.match(stderr, /write a table \[domains\."example\.org"\]/);
  assert.match(stderr, /--domain example\.org/);
  assert.match(stderr, /open_proxy = true/);
});

Deno.test({
  name: "B-033 S-001 without a file it listens on 127.0.0.1:5280 and serves every domain",
  ...haveProgram("dnsmasq"),
  async fn() {
    // Whose name is asked for is seen here, and nothing leaves this machine.
    await using dns = await NameServer.start();
    const env = { CAUSEWAY_UPSTREAM_NAMESERVER: `${dns.address}:${dns.port}` };
    await using usual = new ServeProcess([], env);
    const started = await usual.url.then((url) => ({ url }), () => undefined);
    if (started === undefined) {
      // The port is somebody else's here; then that is what it says.
      const { code, stderr } = await usual.ended;
      assert.equal(code, 1);
      assert.match(stderr, /cannot listen on 127\.0\.0\.1 port 5280: another program does/);
    } else {
      assert.equal(started.url, "http://127.0.0.1:5280");
    }
    await using elsewhere = started ? undefined : new ServeProcess(ANY_FREE_PORT, env);
    const url = started?.url ?? await elsewhere?.url;
    const response = await fetch(`${url}/http-bind`, {
      method: "POST",
      body: "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='any.name.test'/>",
    });
    assert.match(await response.text(), /condition='remote-connection-failed'/);
    assert.ok(dns.queries.includes("SRV _xmpp-client._tcp.any.name.test"), dns.queries.join("\n"));
  },
});

/** The sids, and what was said for authentication, as it was sent and in the clear. */
function secretsOf(traffic: readonly string[]): string[] {
  const wire = traffic.join("\n");
  const sids = [...wire.matchAll(/<body [^>]*\bsid=["']([^"']+)["']/g)].map((match) => match[1]!);
  const payloads = [...wire.matchAll(/<(?:auth|challenge|response|success)\b[^>]*>([^<]+)</g)]
    .map((match) => match[1]!);
  assert.ok(sids.length > 0 && payloads.length >= 3 * clientKinds.length, wire);
  const fields = payloads.flatMap((payload) =>
    Buffer.from(payload, "base64").toString().split(",").map((field) => field.slice(2))
  );
  // What is as short as an iteration count is in every log.
  return [...new Set([...sids, ...payloads, ...fields.filter((field) => field.length > 8)])];
}

function temporaryFile(content: string): Disposable & { readonly path: string } {
  const path = Deno.makeTempFileSync({ suffix: ".toml" });
  Deno.writeTextFileSync(path, content);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}
