import { freePort } from "./free_port.ts";
import { until } from "./patience.ts";
import { programPath } from "./programs.ts";

/** OpenSSL's own TLS server: it has certificate `example.test`, and speaks one version of TLS. */
export class OpenSsl implements AsyncDisposable {
  readonly port: number;
  readonly #process: Deno.ChildProcess;

  private constructor(port: number, process: Deno.ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  static async serve(version: "-tls1_1" | "-tls1_2"): Promise<OpenSsl> {
    const port = freePort();
    const file = new URL("certificates/example.test", import.meta.url).pathname;
    const process = new Deno.Command(programPath("openssl"), {
      args: ["s_server", "-accept", `127.0.0.1:${port}`, "-cert", `${file}.pem`].concat(
        // It has to be talked into what is not safe.
        ["-key", `${file}.key`, version, "-cipher", "ALL:@SECLEVEL=0", "-quiet"],
      ),
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return undefined;
      }
    }, "openssl accepts");
    return new OpenSsl(port, process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#process.status;
  }
}
