/** What the sockets front meets as a process of its own: inherited sockets, and no more file descriptors. */
import assert from "node:assert/strict";
import { fileOf } from "../support/certificates/certificates.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/patience.ts";
import { haveProgram, programPath } from "../support/programs.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { head } from "../support/sockets_stage.ts";
import { settled, Wire } from "../support/wire.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** The program, started by another. */
class Started implements AsyncDisposable {
  stderr = "";
  readonly #process: Deno.ChildProcess;
  readonly #read: Promise<void>;
  hasEnded = false;

  constructor(program: string, args: readonly string[]) {
    const process = new Deno.Command(program, {
      args: [...args],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#process = process;
    void process.status.then(() => this.hasEnded = true);
    this.#read = (async () => {
      const text = process.stderr.pipeThrough(new TextDecoderStream());
      for await (const piece of text) this.stderr += piece;
    })();
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  async ended(): Promise<number> {
    return (await this.#process.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#read;
  }
}

function serve(file: string): string[] {
  return ["run", "-A", "--no-check", MAIN, "serve", "--config", file];
}

function configuration(toml: string): Disposable & { readonly path: string } {
  const path = Deno.makeTempFileSync({ suffix: ".toml" });
  Deno.writeTextFileSync(path, toml);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

Deno.test({
  name: "a listening socket that systemd has opened is served, BOSH and WebSocket",
  ...haveProgram("systemd-socket-activate"),
  async fn() {
    const port = freePort();
    using file = configuration(
      '[[listen]]\nfd = 3\nserver = "sockets"\n[domains."example.test"]\nconnect = "xmpp://127.0.0.1:1"\n',
    );
    const listen = ["-l", `127.0.0.1:${port}`, ...environment(), Deno.execPath()];
    await using _ = new Started(programPath("systemd-socket-activate"), [
      ...listen,
      ...serve(file.path),
    ]);
    // The first connection starts the program.
    const url = `http://127.0.0.1:${port}`;
    const page = await until(
      () => fetch(`${url}/http-bind`).then((page) => page.text(), () => undefined),
      "the program answers",
    );
    assert.match(page, /BOSH/);
    const socket = await RawWebSocket.connect(`${url}/xmpp-websocket`);
    assert.equal(socket.status, 101);
    socket.destroy();
  },
});

Deno.test({
  name: "a listening socket that systemd has opened may have TLS",
  ...haveProgram("systemd-socket-activate"),
  async fn() {
    const port = freePort();
    using file = configuration(
      `[[listen]]\nfd = 3\ntls = { cert = "${fileOf("example.test.pem")}", ` +
        `key = "${fileOf("example.test.key")}" }\n[domains."example.test"]\n`,
    );
    const listen = ["-l", `127.0.0.1:${port}`, ...environment(), Deno.execPath()];
    await using _ = new Started(programPath("systemd-socket-activate"), [
      ...listen,
      ...serve(file.path),
    ]);
    // The first connection starts the program, and is served as well.
    const url = `https://example.test:${port}/xmpp-websocket`;
    const socket = await until(
      () => RawWebSocket.connect(url).catch(() => undefined),
      "the program answers",
    );
    assert.equal(socket.status, 101);
    socket.destroy();
  },
});

Deno.test({
  name:
    "S-007 without file descriptors no connection is accepted, no other ends, and all is well when there are some again",
  ...haveProgram("sh"),
  async fn() {
    const port = freePort();
    using file = configuration(
      `[[listen]]\naddress = "127.0.0.1"\nport = ${port}\nserver = "sockets"\n` +
        '[domains."example.test"]\nconnect = "xmpp://127.0.0.1:1"\n',
    );
    await using process = new Started(programPath("sh"), [
      "-c",
      'ulimit -n 64; exec "$@"',
      "sh",
      Deno.execPath(),
      ...serve(file.path),
    ]);
    const url = `http://127.0.0.1:${port}`;
    await until(
      () => fetch(`${url}/http-bind`).then((page) => page.text(), () => undefined),
      "the program answers",
    );
    const neighbour = await Wire.connect({ host: "127.0.0.1", port });
    const ask = async (wire: Wire) => {
      wire.write(head("/http-bind"));
      await wire.expect(/BOSH[^]*\n$/);
    };
    await ask(neighbour);
    const wires: Wire[] = [];
    for (let i = 0; i < 100; i++) wires.push(await Wire.connect({ host: "127.0.0.1", port }));
    await settled(500);
    await ask(neighbour);
    assert.equal(process.hasEnded, false, process.stderr);
    for (const wire of wires) wire.destroy();
    await settled(500);
    await ask(neighbour);
    for (let i = 0; i < 10; i++) {
      using wire = await Wire.connect({ host: "127.0.0.1", port });
      await ask(wire);
    }
    neighbour.destroy();
    process.kill("SIGTERM");
    assert.equal(await process.ended(), 0);
  },
});

/** What systemd-socket-activate hands on only when it is told to. */
function environment(): string[] {
  return ["PATH", "HOME", "DENO_DIR"].filter((name) => Deno.env.has(name)).map((name) =>
    `--setenv=${name}`
  );
}
