import assert from "node:assert/strict";
import { join } from "node:path";
import type { ProxyName } from "../../src/commands/arguments.ts";
import { apache } from "./apache.ts";
import { bodyOf, BoshClient, type BoshResponse, readResponse } from "./bosh_client.ts";
import { caddy } from "./caddy.ts";
import { FakeConnector } from "./fake_connector.ts";
import { H2Client } from "./h2_client.ts";
import { haproxy } from "./haproxy.ts";
import { runManager, type RunningManager } from "./manager.ts";
import { nginx } from "./nginx.ts";
import { printed, type ProxyProgram, ReverseProxy } from "./reverse_proxy.ts";

/** The proxies that a configuration can be made for, as they are run here. */
export const PROXIES: Readonly<Record<ProxyName, ProxyProgram>> = { nginx, haproxy, caddy, apache };

/** Where the clients of these tests come from. */
export const CLIENT = "127.0.0.5";

/** What a client would write that wants to be somebody else. */
export const FORGED = {
  "X-Forwarded-For": "198.51.100.1",
  "Forwarded": "for=198.51.100.2;proto=http;host=other.test",
  "X-Forwarded-Host": "other.test",
  "X-Forwarded-Proto": "http",
};

/** Where a connection manager listens for its proxy. */
export type Place = "unix" | "tcp";

export interface Proxied {
  readonly proxy: ReverseProxy;
  readonly running: RunningManager;
  readonly connector: FakeConnector;
  /** `https://example.test:port` of the proxy. */
  readonly url: string;
}

/**
 * A connection manager for `example.test`, with the front of the test, and this proxy before it with the
 * configuration that is printed for it. `name` is the last part of a unix socket's path.
 */
export async function behind(
  name: ProxyName,
  { place = "unix", toml = "", socket = "http.sock" }: {
    readonly place?: Place;
    readonly toml?: string;
    readonly socket?: string;
  },
  test: (proxied: Proxied) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "causeway-" });
  try {
    const connector = new FakeConnector();
    // Whoever reaches a unix socket is believed; nobody else need be.
    const trust = place === "unix" ? "http.trusted_proxies = []\n" : "";
    const config = `${trust}${toml}\n[domains."example.test"]`;
    const unix = join(folder, socket);
    await using running = await runManager({
      toml: config,
      connector,
      ...(place === "unix" ? { unix } : {}),
    });
    if (place === "unix") {
      // Some proxies do not stay root.
      await Deno.chmod(folder, 0o755);
      await Deno.chmod(unix, 0o777);
    }
    const listen = place === "unix" ? `unix:${unix}` : new URL(running.url).host;
    await using proxy = await ReverseProxy.start(PROXIES[name], printed(name, config, listen));
    await test({ proxy, running, connector, url: `https://example.test:${proxy.ports.tls}` });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** One BOSH session, whatever carries it. */
export interface BoshTalk extends Disposable {
  create(attributes: string): Promise<BoshResponse>;
  ask(attributes?: string, content?: string): Promise<BoshResponse>;
}

/** What carries a BOSH session here. */
export const CARRIERS: Readonly<
  Record<string, (url: string, headers?: Readonly<Record<string, string>>) => Promise<BoshTalk>>
> = {
  "HTTP/1.1": (url, headers = {}) => {
    const client = new BoshClient(`${url}/http-bind`, { headers, from: CLIENT, patience: 90_000 });
    return Promise.resolve({
      create: (attributes) => client.create(attributes),
      ask: (attributes, content) => client.ask(attributes, content),
      [Symbol.dispose]: () => client.close(),
    });
  },
  /** All on one connection. */
  "HTTP/2": async (url, headers = {}) => {
    const connection = await H2Client.connect(url, CLIENT);
    assert.equal(connection.alpn, "h2");
    let rid = 1_000_000;
    let sid = "";
    const send = async (body: string) => {
      const response = readResponse(await connection.send({ path: "/http-bind", headers, body }));
      assert.equal(response.http.status, 200);
      return response;
    };
    return {
      async create(attributes) {
        const response = await send(bodyOf(`rid='${++rid}' ${attributes}`));
        sid = response.get("sid") ?? "";
        return response;
      },
      ask: (attributes = "", content = "") =>
        send(bodyOf(`rid='${++rid}' sid='${sid}' ${attributes}`, content)),
      [Symbol.dispose]: () => connection[Symbol.dispose](),
    };
  },
};

/** Creates a session and logs in, as far as the manager can see. */
export async function logIn(
  talk: BoshTalk,
  connector: FakeConnector,
  wait = 5,
): Promise<FakeConnector["last"]> {
  const attributes = `to='example.test' wait='${wait}' hold='1' ver='1.6'`;
  const creation = await talk.create(attributes);
  assert.deepEqual(creation.payloads.map(({ name }) => name), ["features"]);
  assert.equal(creation.get("wait"), String(wait));
  const upstream = connector.last;
  upstream.onCall = (call) => {
    if (call.startsWith("send <auth ")) {
      upstream.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    } else if (call.startsWith("restart")) {
      upstream.opened();
      upstream.say("<stream:features/>");
    }
  };
  const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYQ==</auth>";
  const success = await talk.ask("", auth);
  assert.deepEqual(success.payloads.map(({ name }) => name), ["success"]);
  const restart = await talk.ask("to='example.test' xmpp:restart='true'");
  assert.deepEqual(restart.payloads.map(({ name }) => name), ["features"]);
  return upstream;
}
