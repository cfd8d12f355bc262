import assert from "node:assert/strict";
import { startService } from "../../src/commands/service.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Log } from "../../src/log.ts";

const ROOT = new URL("../..", import.meta.url);

Deno.test("demo runs with the executable's permissions, serves its page, and ends well", async () => {
  await using demo = await start("demo");
  const { url } = demo;
  for (const path of ["/", "/demo/page.css", "/demo/page.js", "/demo/strophe.js"]) {
    const response = await fetch(url + path);
    assert.equal(response.status, 200, path);
    assert.ok((await response.text()).length > 500, path);
  }
  assert.equal(await demo.end("SIGTERM"), 0);
});

Deno.test("SIGINT ends the service too", async () => {
  await using service = await start("serve", "--listen", "127.0.0.1:0");
  assert.match(service.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(await service.end("SIGINT"), 0);
});

Deno.test("B-122 a client that holds back half of its request does not keep a process that is told to end", async () => {
  await using service = await start("serve", "--listen", "127.0.0.1:0");
  const { hostname, port } = new URL(service.url);
  const half = await Deno.connect({ hostname, port: Number(port) });
  const request = "POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<body ";
  await half.write(new TextEncoder().encode(request));
  // It has come when a request behind it has been answered.
  await (await fetch(service.url)).body?.cancel();
  assert.equal(await service.end("SIGTERM"), 0);
  half.close();
});

Deno.test("a place that is taken is named, with status 1", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const place = `127.0.0.1:${listener.addr.port}`;
  const { code, stderr } = await causeway("serve", "--listen", place).output();
  listener.close();
  assert.equal(code, 1);
  const port = listener.addr.port;
  assert.match(
    new TextDecoder().decode(stderr),
    new RegExp(`cannot listen on 127.0.0.1 port ${port}: another`),
  );
});

Deno.test("S-017 what nobody catches, in a timer or a promise, is told, and the service goes on", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tests/support/faulty_service.ts"],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const errors = child.stderr.text();
  const output = child.stdout.getReader();
  // Both have been thrown by then.
  assert.match(new TextDecoder().decode((await output.read()).value), /listening on/);
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 0);
  await output.cancel();
  const told = await errors;
  for (const where of ["timer", "promise"]) {
    const fault = new RegExp(`error fault .*error="TypeError..? +at .*${where} .*faulty_service`);
    assert.match(told, fault, told);
  }
  assert.doesNotMatch(told, /thrown in/);
});

/** Runs the program with just the permissions of deno.json, which the executable gets too. */
function causeway(...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-P", "main.ts", ...args],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  });
}

interface Service extends AsyncDisposable {
  readonly url: string;
  /** Sends a signal and waits for the exit status. */
  end(signal: Deno.Signal): Promise<number>;
}

async function start(...args: string[]): Promise<Service> {
  const child = causeway(...args).spawn();
  const errors = child.stderr.text();
  let out = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  while (!out.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the program ended: ${await errors}`);
    out += value;
  }
  const ready = /^causeway \d+\.\d+\.\d+ listening on (http:\S+)\n/.exec(out);
  if (!ready) throw new Error(`not the ready line: ${out}`);
  return {
    url: ready[1]!,
    async end(signal) {
      child.kill(signal);
      return (await child.status).code;
    },
    async [Symbol.asyncDispose]() {
      await reader.cancel();
      await errors;
      await child.status;
    },
  };
}

Deno.test("S-004 at every start it is said whose stanzas are logged, and what log.trace needs", async () => {
  const said = async (level: "debug" | "info", trace: readonly string[]): Promise<string> => {
    let text = "";
    const config = {
      ...loadConfig({}),
      listen: [],
      log: { level, format: "text", trace } as const,
    };
    const write = (line: string) => text += line;
    const log = new Log({ ...config.log, write, now: Date.now });
    await (await startService(config, { log, load: () => config })).stop();
    return text;
  };
  const trace = ["192.0.2.0/24", "::1/128"];
  assert.match(
    await said("debug", trace),
    / warn .*written to this log clients="192.0.2.0\/24 ::1\/128"/,
  );
  assert.match(await said("info", trace), / warn .*has no effect.*level/);
  assert.doesNotMatch(await said("debug", []), /trace/);
});
