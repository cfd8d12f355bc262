import { join } from "node:path";
import { certificate } from "./certificates/certificates.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";

const SAMPLE = new URL("../../deploy/nginx.conf", import.meta.url);

/**
 * A real nginx on free ports of the loopback that serves `example.test`, with the sample
 * configuration inside its server block.
 */
export class Nginx implements AsyncDisposable {
  /** Where it has TLS, and where it has not. */
  readonly ports: { readonly tls: number; readonly plain: number };
  readonly #directory: string;
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<Deno.CommandOutput>;
  #exited = false;

  private constructor(directory: string, ports: Nginx["ports"], process: Deno.ChildProcess) {
    this.ports = ports;
    this.#directory = directory;
    this.#process = process;
    this.#output = process.output();
    void this.#output.then(() => this.#exited = true);
  }

  /** Settles when it accepts; `upstream` is what its requests are passed to, as `proxy_pass` has it. */
  static async start(upstream: string): Promise<Nginx> {
    // Another program may take a port between our choice and nginx's.
    for (let attempt = 1;; attempt++) {
      const nginx = await Nginx.#spawn(upstream);
      try {
        await nginx.#accepts();
        return nginx;
      } catch (error) {
        await nginx[Symbol.asyncDispose]();
        if (attempt === 3) throw error;
      }
    }
  }

  static async #spawn(upstream: string): Promise<Nginx> {
    const program = programPath("nginx");
    const directory = await Deno.makeTempDir({ prefix: "nginx-" });
    const ports = { tls: freePort(), plain: freePort() };
    const { cert, key } = certificate("example.test");
    const sample = await Deno.readTextFile(SAMPLE);
    const files = {
      "cert.pem": cert,
      "key.pem": key,
      "sample.conf": sample.replaceAll(
        "proxy_pass http://127.0.0.1:5280;",
        `proxy_pass ${upstream};`,
      ),
      "nginx.conf": configuration(ports),
    };
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(join(directory, name), content);
    }
    const process = new Deno.Command(program, {
      args: ["-p", directory, "-c", "nginx.conf", "-e", "stderr"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new Nginx(directory, ports, process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) this.#process.kill("SIGTERM");
    await this.#output;
    await Deno.remove(this.#directory, { recursive: true });
  }

  /** It writes down its process id when it has its ports. */
  async #accepts(): Promise<void> {
    const file = join(this.#directory, "nginx.pid");
    const isThere = () => Deno.stat(file).then(() => true, () => undefined);
    await until(() => this.#exited ? true : isThere(), "nginx is ready");
    if (!this.#exited) return;
    throw new Error(
      `nginx did not start: ${new TextDecoder().decode((await this.#output).stderr)}`,
    );
  }
}

function configuration({ tls, plain }: Nginx["ports"]): string {
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    events { worker_connections 64; }
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      server {
        listen 127.0.0.1:${tls} ssl;
        listen 127.0.0.1:${plain};
        server_name example.test;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        include sample.conf;
      }
    }`;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
