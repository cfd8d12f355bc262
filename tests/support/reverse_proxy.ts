import assert from "node:assert/strict";
import { join } from "node:path";
import type { ProxyName } from "../../src/commands/arguments.ts";
import { proxyCommand } from "../../src/commands/proxy.ts";
import { noFlags } from "../../src/config/overrides.ts";
import { fileOf } from "./certificates/certificates.ts";
import { freePort } from "./free_port.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";

/** Where a proxy of the tests runs. */
export interface ProxyPlace {
  /** A directory of its own, which it may leave things in. */
  readonly directory: string;
  /**
   * Of `127.0.0.1`: where it has TLS, and where it sends everybody there. nginx, for tests that have to look at
   * what goes by, does without TLS at a third what it does with it.
   */
  readonly ports: { readonly tls: number; readonly plain: number; readonly clear: number };
  /** PEM files: the certificate of `example.test`, its key, and both in one. */
  readonly certificate: { readonly cert: string; readonly key: string; readonly both: string };
}

/** How one of the proxies is run. */
export interface ProxyProgram {
  readonly program: string;
  /**
   * The files of its directory: the configuration that was printed, with what several runs at a time, or
   * another user, cannot share in its own place; and whatever the operating system's package has around it.
   */
  files(printed: string, place: ProxyPlace): Readonly<Record<string, string>>;
  /** Arguments that have it run in the foreground, and look at its configuration. */
  run(place: ProxyPlace): readonly string[];
  check(place: ProxyPlace): readonly string[];
  env?(place: ProxyPlace): Readonly<Record<string, string>>;
}

/** A real reverse proxy on free ports of loopback that serves `example.test` as `causeway proxy` says. */
export class ReverseProxy implements AsyncDisposable {
  readonly ports: ProxyPlace["ports"];
  readonly #place: ProxyPlace;
  readonly #process: Deno.ChildProcess;
  #exited = false;
  #output = "";
  readonly #read: Promise<unknown>;

  private constructor(place: ProxyPlace, process: Deno.ChildProcess) {
    this.ports = place.ports;
    this.#place = place;
    this.#process = process;
    void process.status.then(() => this.#exited = true);
    this.#read = Promise.all([process.stdout, process.stderr].map(async (stream) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#output += text;
    }));
  }

  /** Settles when it accepts, after it has found its configuration right. */
  static async start(program: ProxyProgram, printed: string): Promise<ReverseProxy> {
    // Another program may take a port between our choice and the proxy's.
    for (let attempt = 1;; attempt++) {
      const proxy = await ReverseProxy.#spawn(program, printed);
      try {
        await proxy.#accepts();
        return proxy;
      } catch (error) {
        await proxy[Symbol.asyncDispose]();
        if (attempt === 3) throw error;
      }
    }
  }

  static async #spawn(program: ProxyProgram, printed: string): Promise<ReverseProxy> {
    const directory = await Deno.makeTempDir({ prefix: `${program.program}-` });
    // Some of them do not stay root.
    await Deno.chmod(directory, 0o755);
    const both = join(directory, "both.pem");
    const [cert, key] = [fileOf("example.test.pem"), fileOf("example.test.key")];
    await Deno.writeTextFile(both, await Deno.readTextFile(cert) + await Deno.readTextFile(key));
    const ports = { tls: freePort(), plain: freePort(), clear: freePort() };
    const place = { directory, ports, certificate: { cert, key, both } };
    for (const [name, content] of Object.entries(program.files(printed, place))) {
      await Deno.writeTextFile(join(directory, name), content);
    }
    const command = (args: readonly string[]) =>
      new Deno.Command(programPath(program.program), {
        args: [...args],
        cwd: directory,
        env: program.env?.(place) ?? {},
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
    const { success, stderr, stdout } = await command(program.check(place)).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.ok(success, `${program.program}: ${text(stdout)}${text(stderr)}\n${printed}`);
    return new ReverseProxy(place, command(program.run(place)).spawn());
  }

  /** All that it has written to its logs and its output. */
  async logs(): Promise<string> {
    let text = this.#output;
    for await (const { name } of Deno.readDir(this.#place.directory)) {
      if (name.endsWith(".log")) {
        text += await Deno.readTextFile(join(this.#place.directory, name));
      }
    }
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each is one process. Told to end, some would wait for their clients.
    if (!this.#exited) this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#read;
    await Deno.remove(this.#place.directory, { recursive: true });
  }

  /** Waits until it listens on both ports, and nobody else. */
  async #accepts(): Promise<void> {
    const { tls, plain } = this.ports;
    await until(() => {
      const mine = this.#exited ? [] : listening(this.#process.pid);
      return this.#exited || (mine.includes(tls) && mine.includes(plain)) || undefined;
    }, "the proxy is ready");
    if (this.#exited) {
      await this.#read;
      throw new Error(`the proxy did not start: ${this.#output}`);
    }
  }
}

/** Ports of IPv4 that a process listens on. */
function listening(pid: number): number[] {
  const sockets = new Set<string>();
  try {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
      sockets.add(Deno.readLinkSync(`/proc/${pid}/fd/${name}`));
    }
  } catch {
    // It has closed one meanwhile, or has ended.
  }
  const lines = Deno.readTextFileSync("/proc/net/tcp").split("\n").slice(1);
  return lines.map((line) => line.trim().split(/\s+/)).flatMap((columns) =>
    // 0A: it listens.
    columns[3] === "0A" && sockets.has(`socket:[${columns[9]}]`)
      ? [Number.parseInt(columns[1]!.split(":")[1]!, 16)]
      : []
  );
}

/** Replaces each of these, every time that it is there; each has to be there. */
export function substituted(
  text: string,
  substitutions: readonly (readonly [from: string, to: string])[],
): string {
  return substitutions.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), `${JSON.stringify(from)} is not in what was printed:\n${text}`);
    return text.replaceAll(from, to);
  }, text);
}

/** What `causeway proxy NAME` prints of this configuration, for a listener at this place. */
export function printed(name: ProxyName, toml: string, listen: string): string {
  let text = "";
  const sources = {
    file: "test.toml",
    readFile: () => toml,
    flags: { ...noFlags, listen: [listen] },
  };
  const status = proxyCommand(name, sources, {
    stdout: (more) => text += `${more}\n`,
    stderr: (line) => assert.fail(line),
  });
  assert.equal(status, 0);
  return text;
}
