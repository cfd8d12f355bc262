/** The running program on every kind of place, by both servers, with TLS and without. */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { authorityFile, certificate, fileOf } from "../support/certificates/certificates.ts";
import { haveProgram, programPath } from "../support/programs.ts";
import { ServeProcess } from "../support/serve_process.ts";

interface Place {
  /** Keys of its table. */
  readonly listen: string;
  /** What is served there; nothing else is. */
  readonly serve: keyof typeof SERVICES;
  /** How it is reached: hosts, or a unix socket. */
  readonly at: readonly string[];
  /** As the program tells it. */
  readonly url: RegExp;
  /** Of HTTP. */
  readonly version?: string;
  readonly curl?: readonly string[];
}

const SERVICES = {
  bosh: { path: "/http-bind", says: /BOSH/ },
  websocket: { path: "/xmpp-websocket", says: /WebSocket/ },
  health: { path: "/health/live", says: /^live$/m },
} as const;

const TLS = tls(fileOf("example.test.key"));
const locked = 'key_password_file = "password"';

function tls(key: string, more = ""): string {
  return `tls = { cert = "${fileOf("example.test.pem")}", key = "${key}"${more && `, ${more}`} }\n`;
}

const PLACES: Readonly<Record<string, Place>> = {
  "IPv4": {
    listen: "port = 0",
    serve: "bosh",
    at: ["127.0.0.1"],
    url: /^http:\/\/127\.0\.0\.1:\d+$/,
  },
  "IPv6, sockets": {
    listen: 'address = "::1"\nport = 0\nserver = "sockets"',
    serve: "websocket",
    at: ["[::1]"],
    url: /^http:\/\/\[::1\]:\d+$/,
  },
  "every address, Deno's": {
    listen: 'address = "::"\nport = 0\nserver = "deno"',
    serve: "health",
    at: ["127.0.0.1", "[::1]"],
    url: /^http:\/\/\[::\]:\d+$/,
  },
  "every address, sockets": {
    listen: 'address = "::"\nport = 0',
    serve: "bosh",
    at: ["127.0.0.1", "[::1]"],
    url: /^http:\/\/\[::\]:\d+$/,
  },
  "a unix socket, Deno's": {
    listen: 'unix = "FOLDER/deno.sock"',
    serve: "bosh",
    at: ["FOLDER/deno.sock"],
    url: /^http\+unix:.*\/deno\.sock$/,
  },
  "a unix socket, sockets": {
    listen: 'unix = "FOLDER/sockets.sock"\nserver = "sockets"',
    serve: "health",
    at: ["FOLDER/sockets.sock"],
    url: /^http\+unix:.*\/sockets\.sock$/,
  },
  "a unix socket with TLS": {
    listen: `unix = "FOLDER/tls.sock"\n${TLS}`,
    serve: "websocket",
    at: ["FOLDER/tls.sock"],
    url: /^https\+unix:.*\/tls\.sock$/,
  },
  "IPv6, Deno's with TLS": {
    listen: `address = "::1"\nport = 0\nserver = "deno"\n${TLS}`,
    serve: "bosh",
    at: ["[::1]"],
    url: /^https:\/\/\[::1\]:\d+$/,
    version: "2",
  },
  "every address, Deno's with TLS": {
    listen: `address = "::"\nport = 0\nserver = "deno"\n${TLS}`,
    serve: "health",
    at: ["127.0.0.1", "[::1]"],
    url: /^https:\/\/\[::\]:\d+$/,
    version: "2",
  },
  "every address with TLS, its key locked as PKCS#8": {
    listen: `address = "::"\nport = 0\n${tls("pkcs8.key", locked)}`,
    serve: "bosh",
    at: ["127.0.0.1", "[::1]"],
    url: /^https:\/\/\[::\]:\d+$/,
  },
  "IPv4 with TLS, its key locked as of old, and client certificates": {
    listen: `port = 0\nclient_ca = "${fileOf("client-authority.pem")}"\n${tls("sec1.key", locked)}`,
    serve: "health",
    at: ["127.0.0.1"],
    url: /^https:\/\/127\.0\.0\.1:\d+$/,
    curl: ["--cert", fileOf("friend.pem"), "--key", fileOf("friend.key")],
  },
};

Deno.test({
  name: "each listener is where it is written, serves what is written, and nothing else",
  ...haveProgram("curl"),
  async fn() {
    const folder = Deno.makeTempDirSync();
    const inFolder = (text: string) => text.replaceAll("FOLDER", folder);
    const { key } = certificate("example.test");
    for (const type of ["pkcs8", "sec1"] as const) {
      const sealed = createPrivateKey(key)
        .export({ type, format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
      Deno.writeTextFileSync(`${folder}/${type}.key`, sealed as string);
    }
    Deno.writeTextFileSync(`${folder}/password`, "secret\n");
    const places = Object.entries(PLACES);
    const tables = places.map(([, { listen, serve }]) =>
      `[[listen]]\nserve = ["${serve}"]\n${inFolder(listen)}\n`
    );
    const file = `${folder}/causeway.toml`;
    Deno.writeTextFileSync(file, `${tables.join("")}[domains."example.test"]\n`);
    await using service = new ServeProcess(["serve", "--config", file]);
    await Promise.all(places.map(async ([name, place], index) => {
      const url = await service.urlOf(index);
      assert.match(url, place.url, name);
      for (const at of place.at.map(inFolder)) {
        for (const [service, { path, says }] of Object.entries(SERVICES)) {
          const answer = await ask(url, at, path, place.curl ?? []);
          const expected = service === place.serve ? says : /^Nothing is served at this path/m;
          assert.match(answer, expected, `${name}: ${at}${path}`);
          assert.match(answer, new RegExp(` ${place.version ?? "1.1"}$`), `${name}: ${at}`);
        }
      }
    }));
    const strangers = places.findIndex(([, { curl }]) => curl !== undefined);
    const refused = await ask(await service.urlOf(strangers), "127.0.0.1", "/health/live", []);
    assert.doesNotMatch(refused, /live/);
    const { code } = await service.terminate();
    assert.equal(code, 0);
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ isFile }) => !isFile), []);
    Deno.removeSync(folder, { recursive: true });
  },
});

/** What is answered, and by which version of HTTP. `at` is a host, or the path of a unix socket. */
async function ask(
  url: string,
  at: string,
  path: string,
  more: readonly string[],
): Promise<string> {
  const isUnix = at.startsWith("/");
  const scheme = url.split(/[:+]/, 1)[0]!;
  const port = isUnix ? (scheme === "https" ? "443" : "80") : url.split(":").at(-1)!;
  const name = scheme === "https" ? "example.test" : "localhost";
  const { stdout } = await new Deno.Command(programPath("curl"), {
    args: [
      ...["-s", "--max-time", "20", "--noproxy", "*", "-w", " %{http_version}"],
      ...["--cacert", authorityFile, ...more],
      ...(isUnix ? ["--unix-socket", at] : ["--resolve", `${name}:${port}:${at}`]),
      `${scheme}://${name}:${port}${path}`,
    ],
  }).output();
  return new TextDecoder().decode(stdout);
}
