/** How the running program ends, and what it is told meanwhile; the XMPP server is that of the demo. */
import assert from "node:assert/strict";
import { startDemoServer } from "../../src/demo/server.ts";
import { BIND, sidOf } from "../support/bosh_http.ts";
import { until } from "../support/patience.ts";
import { ServeProcess } from "../support/serve_process.ts";

/** A program with one session in it whose client has no request under way. */
async function withSession(
  toml: string,
  work: (service: ServeProcess, client: Client) => Promise<void>,
): Promise<void> {
  const server = startDemoServer({ hostname: "127.0.0.1", port: 0 });
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    const connect = `connect = "xmpp://127.0.0.1:${server.port}"\ntls = "never"`;
    await Deno.writeTextFile(
      file,
      `[[listen]]\nport = 0\n${toml}\n[domains.localhost]\n${connect}\n`,
    );
    await using service = new ServeProcess(["serve", "--config", file]);
    const url = await service.url;
    const client = { url, file, sid: "", rid: 1 };
    client.sid = sidOf(await create(client));
    await work(service, client);
  } finally {
    await server.close();
    await Deno.remove(file);
  }
}

interface Client {
  readonly url: string;
  /** The program's configuration. */
  readonly file: string;
  sid: string;
  rid: number;
}

async function post({ url }: Client, body: string): Promise<string> {
  return await (await fetch(`${url}/http-bind`, { method: "POST", body })).text();
}

function create(client: Client, to = "localhost"): Promise<string> {
  return post(client, `<body ${BIND} rid='1' to='${to}' wait='5' hold='1' ver='1.6'/>`);
}

function ask(client: Client, content = ""): Promise<string> {
  return post(client, `<body ${BIND} sid='${client.sid}' rid='${++client.rid}'>${content}</body>`);
}

async function health(client: Client, which: "live" | "ready"): Promise<string> {
  const response = await fetch(`${client.url}/health/${which}`);
  return `${response.status} ${(await response.text()).trim()}`;
}

Deno.test("B-122 readiness turns red first and liveness stays green, sessions go on for drain.delay, and then end", async () => {
  await withSession("[drain]\ndelay = 2", async (service, client) => {
    assert.deepEqual([await health(client, "live"), await health(client, "ready")], [
      "200 live",
      "200 ready",
    ]);
    const ending = service.terminate();
    await until(
      async () => await health(client, "ready") === "503 draining" || undefined,
      "it is red",
    );
    assert.equal(await health(client, "live"), "200 live");
    assert.match(await create(client), /condition='system-shutdown' .*opens no new sessions/);
    // A ping of the server's own domain is answered: the session is served.
    const login =
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAGFsaWNl</auth>";
    assert.match(await ask(client, login), /<success /);
    assert.match(await ask(client), /condition='system-shutdown' .*is shutting down/);
    const { code, stderr } = await ending;
    assert.equal(code, 0, stderr);
    assert.match(stderr, / shutting down signal=SIGTERM delay=2\n/);
    assert.match(stderr, / shut down sessions=1\n$/);
  });
});

Deno.test("a session that does not end within drain.timeout is told, with status 1", async () => {
  // A client without a request has two seconds to come and be told.
  await withSession("[drain]\ntimeout = 1", async (service) => {
    const { code, stderr } = await service.terminate();
    assert.equal(code, 1, stderr);
    assert.match(stderr, / error shut down, and something was lost sessions=1 left=1\n$/);
  });
});

Deno.test("SIGHUP applies domains, limits, paths and the log's level while a session goes on, and no half of a wrong file", async () => {
  await withSession('[http]\nheaders = { X-Before = "yes" }', async (service, client) => {
    const before = await Deno.readTextFile(client.file);
    const reload = async (toml: string, expected: RegExp) => {
      const said = service.stderr.length;
      await Deno.writeTextFile(client.file, toml);
      service.hangUp();
      await until(() => expected.test(service.stderr.slice(said)) || undefined, String(expected));
    };
    const after = before.replace("X-Before", "X-After") +
      '[domains.other]\n[limits]\nsessions = 1\n[log]\nlevel = "debug"\n';
    assert.match(await create(client, "other"), /condition='host-unknown'/);
    // Two mistakes, and much that would be right.
    await reload(
      after.replace("sessions = 1", "sessions = 0") + "colour = 1\n",
      /limits\.sessions: 0 is out of range.*\n.*log\.colour: no such key/,
    );
    assert.match(await create(client, "other"), /condition='host-unknown'/);

    await reload(after, /applied="http\.headers limits\.sessions log\.level domains\.\\"other\\""/);
    assert.match(
      await create(client, "other"),
      /condition='internal-server-error' .*\(limits\.sessions\)/,
    );
    const response = await fetch(`${client.url}/nowhere`);
    await response.body?.cancel();
    assert.deepEqual([response.headers.get("x-after"), response.headers.get("x-before")], [
      "yes",
      null,
    ]);

    await reload(
      after.replace("port = 0", "port = 1") + '[bosh]\npath = "/elsewhere"',
      /wants a restart keys=listen\[0\]\.port\n.*applied=/,
    );
    // The session is the same, at the path that there is now.
    const here = await fetch(`${client.url}/elsewhere`, {
      method: "POST",
      body: `<body ${BIND} sid='${client.sid}' rid='${++client.rid}' type='terminate'/>`,
    });
    assert.match(await here.text(), /type='terminate'/);
    await until(
      () => / info session ended .*domain=localhost/.test(service.stderr) || undefined,
      "the end is in the log",
    );
    assert.equal((await service.terminate()).code, 0);
  });
});
