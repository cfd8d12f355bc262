import assert from "node:assert/strict";
import type { ListenConfig } from "../../src/config/config.ts";
import { systemClock } from "../../src/clock.ts";
import type { Answer, Exchange, Handler, NoBody } from "../../src/server/exchange.ts";
import { listenDeno } from "../../src/server/front_deno.ts";
import { listenSockets } from "../../src/server/front_sockets.ts";
import { CommonHeaders } from "../../src/server/http.ts";
import type { Listener } from "../../src/server/listener.ts";
import { currentFront, onBothFronts } from "../support/fronts.ts";
import { configOf } from "../support/manager.ts";

onBothFronts(
  "an exchange says what was asked: method, path, query, headers, peer, body",
  async () => {
    const seen: unknown[] = [];
    const listener = await listen(async (exchange) => {
      const { method, path, query, peer } = exchange;
      const headers = [exchange.header("x-test"), exchange.header("x-none")];
      const body = new TextDecoder().decode(await bodyOf(exchange, 100) as Uint8Array);
      seen.push([method, path, query, peer.address, ...headers, body]);
      return ok;
    });
    const response = await fetch(`${listener.url}/a%20b/?c=d?e`, {
      method: "POST",
      body: "ü",
      headers: { "x-test": "1" },
    });
    assert.equal(await response.text(), "fine");
    assert.deepEqual(seen, [["POST", "/a%20b/", "c=d?e", "127.0.0.1", "1", undefined, "ü"]]);
    await listener.close();
  },
);

onBothFronts("a hostile Host header is no fault", async () => {
  const listener = await listen(() => ok);
  const answer = await raw(
    listener,
    "GET /x HTTP/1.1\r\nHost: bad host [\r\nConnection: close\r\n\r\n",
  );
  assert.match(answer, /^HTTP\/1\.1 (200|400) /);
  await listener.close();
});

onBothFronts("B-001 B-003 HTTP/1.0 is answered with a length and closed", async () => {
  const listener = await listen(() => ok);
  const answer = await raw(listener, "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx");
  assert.match(answer, /^HTTP\/1\.[01] 200 /);
  assert.match(answer, /content-length: 4\r\n/i);
  assert.match(answer, /\r\n\r\nfine$/);
  await listener.close();
});

onBothFronts("a body over the limit is no body", async () => {
  const bodies: unknown[] = [];
  const listener = await listen(async (exchange) => {
    bodies.push(await bodyOf(exchange, 5));
    return ok;
  });
  const { url } = listener;
  await (await fetch(url, { method: "POST", body: "123456" })).body?.cancel();
  await (await fetch(url, { method: "POST", body: new Blob(["123456"]).stream() })).body?.cancel();
  assert.deepEqual(bodies, ["too-long", "too-long"]);
  await listener.close();
});

onBothFronts("B-078 a client that leaves is noticed while its request is held", async () => {
  const lost = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const listener = await listen(async (exchange) => {
    await bodyOf(exchange, 100);
    exchange.onLost({ lost: lost.resolve });
    held.resolve();
    await lost.promise;
    return ok;
  });
  const leaving = new AbortController();
  const request = fetch(listener.url, { method: "POST", body: "x", signal: leaving.signal });
  await held.promise;
  leaving.abort();
  await assert.rejects(request);
  await lost.promise;
  await listener.close();
});

onBothFronts("a handler that throws is a fault, answered 500, and nothing more", async () => {
  const faults: unknown[] = [];
  const listener = await listen(() => {
    throw new TypeError("a mistake");
  }, (error) => faults.push(error));
  const response = await fetch(listener.url);
  assert.equal(response.status, 500);
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.doesNotMatch(await response.text(), /mistake/);
  assert.equal(faults.length, 1);
  await listener.close();
});

onBothFronts("IPv4 peers of an IPv6 listener are shown as IPv4", async () => {
  const peers: string[] = [];
  const listener = await listen(
    ({ peer }) => {
      peers.push(peer.address);
      return ok;
    },
    fail,
    { address: "::", port: 0 },
  );
  assert.match(listener.url, /^http:\/\/\[::\]:\d+$/);
  const port = listener.url.split(":").at(-1);
  await (await fetch(`http://127.0.0.1:${port}/`)).body?.cancel();
  await (await fetch(`http://[::1]:${port}/`)).body?.cancel();
  assert.deepEqual(peers, ["127.0.0.1", "::1"]);
  await listener.close();
});

onBothFronts(
  "a unix socket: what a crash left behind is removed, one in use is not, and none remains",
  async () => {
    const folder = await Deno.makeTempDir();
    const unix = `${folder}/http.sock`;
    // A socket file whose listener is gone.
    const stale = await new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `Deno.listen({ transport: "unix", path: ${JSON.stringify(unix)} }); Deno.exit(0)`,
      ],
    }).output();
    assert.equal(stale.code, 0);
    assert.ok((await Deno.lstat(unix)).isSocket);
    const listener = await listen(({ peer }) => ({ ...ok, body: `[${peer.address}]` }), fail, {
      unix,
    });
    await assert.rejects(
      listen(() => ok, fail, { unix }),
      (error: Error & { code?: string }) =>
        error instanceof Deno.errors.AddrInUse || error.code === "EADDRINUSE",
    );
    const conn = await Deno.connect({ transport: "unix", path: unix });
    assert.match(
      await talk(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
      /\[\]$/,
    );
    await listener.close();
    await assert.rejects(Deno.lstat(unix), Deno.errors.NotFound);
    await Deno.remove(folder);
  },
);

onBothFronts("a unix socket takes no place of a file that is none", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "precious");
  await assert.rejects(listen(() => ok, fail, { unix: file }));
  assert.equal(await Deno.readTextFile(file), "precious");
  await Deno.remove(file);
});

const ok: Answer = { status: 200, headers: { "content-type": "text/plain" }, body: "fine" };

function fail(error: unknown): never {
  throw error;
}

/** A listener of the front that the test is about. */
function listen(
  handle: (exchange: Exchange) => Answer | Promise<Answer>,
  onFault: (error: unknown) => void = fail,
  at: ListenConfig["at"] = { address: "127.0.0.1", port: 0 },
): Promise<Listener> {
  const handler: Handler = (exchange) => {
    const answer = handle(exchange);
    if (!(answer instanceof Promise)) return answer;
    void answer.then((answer) => exchange.respond(answer), onFault);
    return undefined;
  };
  const { http, listen: [listen] } = configOf("");
  const config = { ...listen!, at };
  const common = new CommonHeaders(http);
  if (currentFront() === "deno") {
    return listenDeno(config, handler, { common, clock: systemClock, onFault });
  }
  return listenSockets(config, handler, {
    timeouts: http,
    common,
    clock: systemClock,
    trusts: () => false,
    onLimit: fail,
    onFault,
  });
}

function bodyOf(exchange: Exchange, max: number): Promise<Uint8Array | NoBody> {
  return new Promise((resolve) => exchange.readBody(max, resolve));
}

async function raw(listener: Listener, request: string): Promise<string> {
  const { hostname, port } = new URL(listener.url);
  return await talk(await Deno.connect({ hostname, port: Number(port) }), request);
}

async function talk(conn: Deno.Conn, request: string): Promise<string> {
  await conn.write(new TextEncoder().encode(request));
  return await new Response(conn.readable).text();
}
