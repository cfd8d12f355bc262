import assert from "node:assert/strict";
import {
  BoshClient,
  type BoshRequest,
  type BoshResponse,
  type ClientOptions,
} from "../support/bosh_client.ts";
import type { CertificateName } from "../support/certificates/certificates.ts";
import { type ManagerOptions, runManager, type RunningManager } from "../support/manager.ts";
import {
  MECHANISMS,
  type ScriptedConnection,
  ScriptedServer,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";

/** What a client of ours asks for unless a test says otherwise. */
export const CREATION =
  "to='example.test' wait='10' hold='1' ver='1.6' xml:lang='en' xmpp:version='1.0'";

/** Keys of the tables of a configuration, as TOML. */
export interface StageOptions {
  /** Of the listener. */
  readonly listen?: string;
  readonly http?: string;
  readonly bosh?: string;
  readonly limits?: string;
  /** Of the domain example.test; default: `tls = "never"`. */
  readonly domain?: string;
  /** Tables of their own. */
  readonly more?: string;
  /** As of {@link runManager}. */
  readonly running?: Pick<ManagerOptions, "files" | "controls">;
  readonly certificate?: CertificateName;
  /** The certificate without which the server lets nobody in. */
  readonly client?: CertificateName;
}

/** A client with its session, and the server's side of it. */
export interface Talk {
  readonly client: BoshClient;
  readonly creation: BoshResponse;
  readonly upstream: ScriptedConnection;
}

/** A connection manager and the XMPP server of `example.test`, both on loopback. */
export class Stage implements AsyncDisposable {
  /** Of the BOSH endpoint. */
  readonly url: string;
  readonly server: ScriptedServer;
  readonly running: RunningManager;
  readonly #clients: BoshClient[] = [];

  private constructor(server: ScriptedServer, running: RunningManager) {
    this.server = server;
    this.running = running;
    this.url = `${running.url}/http-bind`;
  }

  static async set(options: StageOptions = {}): Promise<Stage> {
    const { listen = "", http = "", bosh = "", limits = "", domain = 'tls = "never"', more = "" } =
      options;
    const { certificate, client } = options;
    const server = await ScriptedServer.listen({ ...(certificate && { certificate }), client });
    const running = await runManager({
      ...options.running,
      toml: `[[listen]]\n${listen}\n[http]\n${http}\n[bosh]\n${bosh}\n[limits]\n${limits}\n` +
        `[domains."example.test"]\nconnect = "xmpp://127.0.0.1:${server.port}"\n${domain}\n${more}`,
    });
    return new Stage(server, running);
  }

  client(options: ClientOptions = {}): BoshClient {
    const client = new BoshClient(this.url, options);
    this.#clients.push(client);
    return client;
  }

  /** A session whose features have been delivered. */
  async open(attributes = CREATION, options: ClientOptions = {}): Promise<Talk> {
    const client = this.client(options);
    const creating = client.create(attributes);
    const upstream = await this.welcome();
    return { client, upstream, creation: await creating };
  }

  /** The next connection to the server, which is given a stream with these features. */
  async welcome(features = MECHANISMS): Promise<ScriptedConnection> {
    const upstream = await this.server.accept();
    await nextHeader(upstream);
    upstream.write(streamHeader("stream-1") + streamFeatures(features));
    return upstream;
  }

  /** From here on every connection is welcomed at once. */
  welcomeAll(): void {
    void (async () => {
      for (;;) await this.welcome();
    })().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.running[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Waits for a stream header; what comes between is part of it. */
export async function nextHeader(upstream: ScriptedConnection): Promise<string> {
  return await upstream.expect("<stream:stream ") + await upstream.expect(">");
}

/** Waits for the client's side to close the stream, closes it too, and returns all that came. */
export async function farewell(upstream: ScriptedConnection): Promise<string> {
  const last = await upstream.expect("</stream:stream>");
  upstream.write("</stream:stream>");
  return last + await upstream.expectEnd();
}

/** A message with a number. */
export function message(id: number | string, content = "<body>x</body>"): string {
  return `<message id='${id}'>${content}</message>`;
}

/** The `id` attributes of all payloads, in order. */
export function idsOf(...responses: readonly BoshResponse[]): string[] {
  return responses.flatMap(({ payloads }) =>
    payloads.map(({ attributes }) => attributes.get("id")?.value ?? "")
  );
}

/** Reads answers, of these requests and then of polls, until so many payloads have come. */
export async function gather(
  client: BoshClient,
  count: number,
  requests: readonly BoshRequest[] = [],
): Promise<BoshResponse[]> {
  const open = [...requests];
  const answers: BoshResponse[] = [];
  const start = performance.now();
  for (let come = 0; come < count; come += answers.at(-1)!.payloads.length) {
    const { text } = answers.at(-1) ?? {};
    assert.ok(performance.now() - start < 20_000, `only ${come} payloads come, last ${text}`);
    answers.push(await (open.shift() ?? client.send()).answer);
  }
  return answers;
}

/** Lets seconds pass, where a wait is the point. */
export function pass(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
