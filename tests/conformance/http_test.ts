import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:http2";
import { bodyOf, BoshClient, HttpConnection, readResponse } from "../support/bosh_client.ts";
import { CREATION, idsOf, message, nextHeader, Stage } from "./stage.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";

const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>";

onBothFronts(
  "B-001 a session goes the same way over one-shot HTTP/1.0, one connection, or two",
  async () => {
    await using stage = await Stage.set();
    for (const way of ["one-shot", "one", "two"] as const) {
      const client = stage.client();
      const connections = [client.connect(), client.connect()];
      const how = () =>
        way === "one-shot"
          ? { version: "1.0" as const, connection: client.connect() }
          : { connection: way === "one" ? connections[0]! : connections.reverse()[0]! };
      const first = how();
      const creating = client.create(CREATION, "", first);
      const upstream = await stage.welcome();
      assert.equal((await creating).payloads[0]?.name, "features");
      const authenticating = client.ask("", AUTH, how());
      await upstream.expect("</auth>");
      upstream.write(SUCCESS);
      assert.equal((await authenticating).payloads[0]?.name, "success");
      const last = how();
      assert.equal((await client.ask("type='terminate'", "", last)).type, "terminate");
      if (way === "one-shot") await Promise.all([first.connection.closed, last.connection.closed]);
    }
  },
);

onBothFronts(
  "B-002 no header is needed but Host and Content-Length, and none does harm",
  async () => {
    await using stage = await Stage.set();
    for (
      const headers of [{}, {
        "Cookie": "a=b; sid=c",
        "X-Anything": '; , = "',
        "Accept": "image/png",
        "Authorization": "Basic YTpi",
      }]
    ) {
      const connection = new HttpConnection(stage.url);
      const creating = connection.send({ headers, body: bodyOf(`rid='1' ${CREATION}`) });
      await stage.welcome();
      assert.ok(readResponse(await creating).get("sid"));
      connection.abort();
    }
  },
);

onBothFronts(
  "B-003 B-006 every kind of answer has its length in bytes and is text/xml",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream, creation } = await stage.open();
    const waiting = client.send();
    upstream.write(message(1, "<body>ü😀 \u{10FFFF}</body>"));
    const data = await waiting.answer;
    assert.deepEqual(
      data.payloads[0]?.children.map((body) => typeof body === "object" && body.children),
      [
        ["ü😀 \u{10FFFF}"],
      ],
    );
    const repeated = await client.ask("", "", { rid: waiting.rid });
    assert.equal(repeated.text, data.text);
    const held = client.send();
    const paused = await client.ask("pause='5'");
    const answers = [creation, data, repeated, await held.answer, paused];
    answers.push(await client.ask("type='terminate'"), await client.ask());
    for (const { http, text } of answers) {
      assert.equal(http.headers.get("content-type"), "text/xml; charset=utf-8", text);
      assert.equal(Number(http.headers.get("content-length")), http.body.length);
    }
  },
);

onBothFronts("B-004 chunked requests and Expect: 100-continue are understood", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open();
  const chunked = client.send("", message("chunked"), { chunk: 7 });
  await upstream.expect("</message>");
  const expecting = client.connect();
  const long = message("long", `<body>${"x".repeat(2000)}</body>`);
  const body = bodyOf(`rid='${++client.rid}' sid='${client.sid}'`, long);
  const [head, content] = split(expecting.encode({ headers: { Expect: "100-continue" }, body }));
  const answer = expecting.expectAnswer();
  expecting.write(head);
  // A client that waits in earnest would send the content only now; one that does not, never fails.
  expecting.write(content);
  assert.match(await upstream.expect("</message>"), /id='long'/);
  await chunked.answer;
  upstream.write(message(1));
  assert.equal(readResponse(await answer).payloads.length, 1);
});

onBothFronts("B-004 a client that waits for 100 Continue gets it before its body", async () => {
  await using stage = await Stage.set();
  const connection = new HttpConnection(stage.url);
  const body = bodyOf(`rid='1' ${CREATION}`, " ".repeat(1500));
  const [head, content] = split(connection.encode({ headers: { Expect: "100-continue" }, body }));
  const answer = connection.expectAnswer();
  connection.write(head);
  await connection.continued;
  connection.write(content);
  await stage.welcome();
  assert.ok(readResponse(await answer).get("sid"));
  assert.deepEqual((await answer).interim, [100]);
  connection.abort();
});

onBothFronts("B-005 whatever the request's Content-Type, it is read as XML", async () => {
  await using stage = await Stage.set();
  for (
    const type of ["text/plain", "application/x-www-form-urlencoded", "text/html", "nonsense", ""]
  ) {
    const { creation } = await stage.open(CREATION, { headers: { "Content-Type": type } });
    assert.ok(creation.get("sid"), type);
  }
});

onBothFronts(
  "B-007 S-009 the content type that a client asks for is that of all its responses, if it is harmless",
  async () => {
    await using stage = await Stage.set();
    for (
      const [wanted, granted] of [
        ["application/xml; charset=utf-8", "application/xml; charset=utf-8"],
        ["text/plain", "text/plain"],
        ["text/html", "text/xml; charset=utf-8"],
        ["a/b&#13;&#10;X: y", "text/xml; charset=utf-8"],
      ] as const
    ) {
      const { client, upstream, creation } = await stage.open(`${CREATION} content='${wanted}'`);
      const waiting = client.send();
      upstream.write(message(1));
      const answers = [creation, await waiting.answer];
      answers.push(await client.ask("", "", { rid: waiting.rid }));
      answers.push(await client.ask("type='terminate'"));
      for (const { http } of answers) {
        assert.equal(http.headers.get("content-type"), granted);
        assert.equal(http.headers.get("x"), undefined);
      }
    }
  },
);

onBothFronts(
  "B-008 B-009 compression is off: whatever is accepted, answers are as they are, and none is offered",
  async () => {
    await using stage = await Stage.set();
    for (const coding of ["gzip", "gzip;q=0", "br", "deflate, gzip;q=1.0, *;q=0.5"]) {
      const { creation } = await stage.open(CREATION, { headers: { "Accept-Encoding": coding } });
      assert.equal(creation.http.headers.get("content-encoding"), undefined);
      assert.equal(creation.get("accept"), undefined);
    }
  },
);

onBothFronts("B-010 a Content-Encoding that is none is ignored (libpurple)", async () => {
  await using stage = await Stage.set();
  const { client, upstream } = await stage.open(CREATION, {
    headers: { "Content-Encoding": "text/xml; charset=utf-8" },
  });
  client.send("", message(1));
  await upstream.expect("</message>");
});

onFront(
  "deno",
  "B-011 clients that are known to pipeline are told with every answer not to",
  async () => {
    await using stage = await Stage.set();
    for (const agent of ["gloox/1.0.24", "libpurple 2.12.0", "libpurple 2.14.12", "Mozilla/5.0"]) {
      const pipelines = ["gloox/1.0.24", "libpurple 2.12.0"].includes(agent);
      const headers = { "User-Agent": agent };
      const { client, upstream, creation } = await stage.open(CREATION, { headers });
      const waiting = client.send();
      upstream.write(message(1));
      const http = [creation.http, (await waiting.answer).http];
      http.push((await client.ask("type='terminate'")).http, (await client.ask()).http);
      for (
        const request of [{ body: "" }, { method: "GET" }, { method: "OPTIONS" }, { method: "PUT" }]
      ) {
        const connection = client.connect();
        http.push(await connection.send({ headers, ...request }));
      }
      for (const { headers } of http) {
        assert.equal(/\bclose\b/.test(headers.get("connection") ?? ""), pipelines, agent);
      }
    }
  },
);

onFront(
  "sockets",
  "B-011 T-12 T-13 a pipelined request is read while the one before it is held, and nobody is told not to pipeline",
  async () => {
    await using stage = await Stage.set();
    for (const agent of ["gloox/1.0.24", "Pidgin/2.14.1 (libpurple 2.14.1)", "Mozilla/5.0"]) {
      const headers = { "User-Agent": agent };
      const { client, upstream, creation } = await stage.open(CREATION, { headers });
      const connection = client.connect();
      const post = (content = "") =>
        connection.encode({
          headers,
          body: bodyOf(`rid='${++client.rid}' sid='${client.sid}'`, content),
        });
      const [first, second, third] = [1, 2, 3].map(() => connection.expectAnswer());
      // With hold='1' the second releases the first, which a server can only know that reads it.
      connection.write(Buffer.concat([post(), post(message("up"))]));
      const released = await first!;
      assert.deepEqual(idsOf(readResponse(released)), []);
      await upstream.expect("</message>");
      connection.write(post(message("behind")));
      await upstream.expect("</message>");
      upstream.write(message("down"));
      const answers = [await second!, await third!];
      assert.deepEqual(answers.map((answer) => idsOf(readResponse(answer))), [[], ["down"]]);
      for (const http of [creation.http, released, ...answers]) {
        assert.doesNotMatch(http.headers.get("connection") ?? "", /close/, agent);
      }
      assert.equal(connection.isClosed, false);
    }
  },
);

onBothFronts(
  "B-012 GET and HEAD show a page, other methods are refused with those that there are",
  async () => {
    await using stage = await Stage.set();
    const get = await http(stage.url, { method: "GET" });
    assert.equal(get.status, 200);
    assert.match(get.headers.get("content-type") ?? "", /^text\/plain/);
    assert.equal((await http(stage.url, { method: "HEAD" })).status, 200);
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      const { status, headers } = await http(stage.url, { method });
      assert.equal(status, 405);
      assert.match(headers.get("allow") ?? "", /POST/);
    }
  },
);

onBothFronts(
  "B-013 a POST of nothing is an HTTP error, one of nonsense a bad-request",
  async () => {
    await using stage = await Stage.set();
    assert.equal((await http(stage.url, { body: "" })).status, 400);
    const nonsense = await http(stage.url, { body: "nonsense" });
    assert.equal(nonsense.status, 200);
    assert.equal(readResponse(nonsense).condition, "bad-request");
  },
);

onBothFronts("B-014 the path may end in a slash, and nothing is redirected", async () => {
  await using stage = await Stage.set();
  for (const url of [stage.url, `${stage.url}/`]) {
    const client = new BoshClient(url);
    const creating = client.create(CREATION);
    await stage.welcome();
    assert.equal((await creating).http.status, 200);
    client.close();
  }
});

onBothFronts(
  "B-015 B-016 B-017 a page of any origin may post and read, errors too, and nothing is stored",
  async () => {
    await using stage = await Stage.set();
    const origin = { Origin: "https://page.test" };
    const preflight = await http(stage.url, {
      method: "OPTIONS",
      headers: { ...origin, "Access-Control-Request-Method": "POST" },
    });
    assert.ok(preflight.status === 200 || preflight.status === 204);
    assert.equal(preflight.body.length, 0);
    assert.match(preflight.headers.get("access-control-allow-methods") ?? "", /\bPOST\b/);
    assert.match(preflight.headers.get("access-control-allow-methods") ?? "", /\bOPTIONS\b/);
    assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /\bContent-Type\b/i);
    assert.ok(Number(preflight.headers.get("access-control-max-age")) > 0);
    const { creation } = await stage.open(CREATION, { headers: origin });
    const answers = [preflight, creation.http];
    for (const headers of [origin, {}]) {
      answers.push(await http(stage.url, { headers, body: "" }));
      answers.push(await http(stage.url, { headers, method: "PUT" }));
      answers.push(await http(stage.url, { headers, body: bodyOf("rid='1' sid='unknown'") }));
      answers.push(await http(stage.url, { headers, body: "x".repeat(300_000) }));
      answers.push(await http(`${stage.running.url}/elsewhere`, { headers, method: "GET" }));
    }
    for (const { status, headers } of answers.filter(({ status }) => status !== 404)) {
      assert.equal(headers.get("access-control-allow-origin"), "*", String(status));
      assert.equal(headers.get("access-control-allow-credentials"), undefined);
      assert.match(headers.get("cache-control") ?? "", /no-store/);
    }
  },
);

onBothFronts("B-016 with a list of origins, only those are let in, by their own name", async () => {
  await using stage = await Stage.set({ http: "allowed_origins = ['https://page.test']" });
  for (
    const [origin, allowed] of [["https://page.test", true], ["https://other.test", false]] as const
  ) {
    const headers = { Origin: origin };
    const { creation } = await stage.open(CREATION, { headers });
    const answers = [
      creation.http,
      await http(stage.url, { headers, body: "" }),
      await http(stage.url, { headers, body: bodyOf("rid='1' sid='unknown'") }),
      await http(stage.url, { headers, method: "OPTIONS" }),
    ];
    for (const { headers } of answers) {
      assert.equal(headers.get("access-control-allow-origin"), allowed ? origin : undefined);
      assert.equal(headers.get("access-control-allow-credentials"), allowed ? "true" : undefined);
      assert.match(headers.get("vary") ?? "", /\bOrigin\b/);
    }
  }
});

onFront(
  "deno",
  "B-018 over HTTP/2 without TLS, order, holding and repetition are the same on one connection",
  async () => {
    await using stage = await Stage.set();
    const session = connect(stage.running.url);
    try {
      let rid = 0;
      const send = (attributes: string, content = "") =>
        overHttp2(session, bodyOf(`rid='${++rid}' ${attributes}`, content));
      const creating = send(CREATION);
      const upstream = await stage.welcome();
      const sid = `sid='${(await creating).get("sid")}'`;
      const held = send(sid);
      const next = send(sid, message("up"));
      assert.equal((await held).payloads.length, 0);
      await upstream.expect("</message>");
      upstream.write(message("down"));
      assert.deepEqual(idsOf(await next), ["down"]);
      rid--;
      assert.equal((await send(sid)).text, (await next).text);
      rid++;
      const late = send(sid, message("b"));
      rid -= 2;
      const early = send(sid, message("a"));
      assert.match(await upstream.expect("id='b'"), /id='a'.*id='b'/);
      upstream.write(message(1));
      await Promise.all([early, late]);
    } finally {
      session.destroy();
    }
  },
);

onBothFronts(
  "B-019 a request over the limit is refused unread, and no session ends for it",
  async () => {
    await using stage = await Stage.set({ http: "max_body = 20_000" });
    const { client, upstream } = await stage.open();
    const declared = new HttpConnection(stage.url);
    const refused = declared.expectAnswer();
    declared.write("POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: 20001\r\n\r\n<body");
    assert.equal((await refused).status, 413);
    assert.match((await refused).headers.get("connection") ?? "", /close/);
    declared.abort();
    const chunked = new HttpConnection(stage.url);
    assert.equal((await chunked.send({ body: "x".repeat(30_000), chunk: 5_000 })).status, 413);
    chunked.abort();
    const all = `sid='${client.sid}' rid='${client.rid + 1}'`;
    assert.equal((await http(stage.url, { body: bodyOf(all, "x".repeat(20_000)) })).status, 413);
    const waiting = client.send("", message(1, `<body>${"x".repeat(10_000)}</body>`));
    await upstream.expect("</message>");
    upstream.write(message("alive"));
    assert.deepEqual(idsOf(await waiting.answer), ["alive"]);
  },
);

onBothFronts(
  "B-031 B-037 B-045 what Punjab's clients send to begin with makes a session",
  async () => {
    await using stage = await Stage.set();
    const client = stage.client();
    const creating = client.create(
      "to='example.test' route='xmpp:127.0.0.1:1' secure='false' ack='1' ver='1.5' wait='2' hold='1' " +
        "inactivity='2' xml:lang='en' newkey='0123456789abcdef0123456789abcdef01234567'",
    );
    const upstream = await stage.server.accept();
    assert.match(await nextHeader(upstream), / to='example.test'/);
    upstream.write(
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' " +
        "version='1.0' id='1'><stream:features/>",
    );
    assert.ok((await creating).get("sid"));
  },
);

async function http(url: string, request: Parameters<HttpConnection["send"]>[0]) {
  const connection = new HttpConnection(url);
  try {
    return await connection.send(request);
  } finally {
    connection.abort();
  }
}

/** Head and body of a request. */
function split(request: Uint8Array): [string, string] {
  const text = new TextDecoder().decode(request);
  const end = text.indexOf("\r\n\r\n") + 4;
  return [text.slice(0, end), text.slice(end)];
}

function overHttp2(session: ReturnType<typeof connect>, body: string) {
  const stream = session.request({ ":method": "POST", ":path": "/http-bind" });
  stream.end(body);
  return new Promise<ReturnType<typeof readResponse>>((resolve, reject) => {
    let status = 0;
    const chunks: Uint8Array[] = [];
    stream.on("response", (headers) => status = Number(headers[":status"]));
    stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", async () => {
      const body = await new Blob(chunks as BlobPart[]).bytes();
      resolve(readResponse({ version: "2", status, interim: [], headers: new Map(), body }));
    });
  });
}
