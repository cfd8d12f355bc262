import assert from "node:assert/strict";
import type { Answer } from "../../../src/protocol/http1/answer.ts";
import { HttpCodec, type HttpEvent } from "../../../src/protocol/http1/codec.ts";
import type { Request, Turn } from "../../../src/protocol/http1/request.ts";
import { asRequest, binary, HTTP_LIMITS, NOW, octets, readHttp } from "../../support/http_codec.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = (body: string, fields = "", version = "1.1") =>
  `POST /p HTTP/${version}\r\nHost: a\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunkedPost = (chunks: string, fields = "") =>
  `POST /p HTTP/1.1\r\nHost: a\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${chunks}`;
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** A codec and somebody who drives it by hand. */
class Connection {
  readonly codec = new HttpCodec(HTTP_LIMITS);

  /** What a chunk brings. */
  feed(text: string): HttpEvent[] {
    this.codec.feed(octets(text));
    return this.events();
  }

  events(): HttpEvent[] {
    const events: HttpEvent[] = [];
    for (let event; (event = this.codec.next()) !== undefined;) events.push(event);
    return events;
  }

  /** The request that a chunk brings, and nothing else. */
  request(text: string): Request {
    const [event, ...more] = this.feed(text);
    assert.deepEqual(more, []);
    assert(event?.type === "request");
    return event.request;
  }

  /** What goes out, without the line that is the same in all answers. */
  answer(turn: Turn, answer: Partial<Answer> = {}): string | undefined {
    const whole = { status: 200, headers: {}, body: "ok", ...answer };
    const bytes = this.codec.answer(turn, whole, NOW);
    return bytes && binary(bytes).replaceAll(`date: ${NOW}\r\n`, "");
  }
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OK_CLOSE = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const OK_KEEP = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";

function bodyIn(events: readonly HttpEvent[]): string | undefined {
  const event = events.find(({ type }) => type === "body");
  return event?.type === "body" ? binary(event.bytes) : undefined;
}

function refusalIn(events: readonly HttpEvent[]): Extract<HttpEvent, { type: "refusal" }> {
  const event = events.find(({ type }) => type === "refusal");
  assert(event?.type === "refusal");
  return event;
}

// Whether the connection goes on

for (
  const [name, request, expected] of [
    ["HTTP/1.1", post("x"), OK],
    ["HTTP/1.1 with keep-alive", post("x", "Connection: keep-alive\r\n"), OK],
    ["HTTP/1.1 with close", post("x", "Connection: close\r\n"), OK_CLOSE],
    ["close in other letters", post("x", "connection: CLOSE\r\n"), OK_CLOSE],
    ["close in a list", post("x", "Connection: te,\tClose , x\r\n"), OK_CLOSE],
    ["close in a second field", post("x", "Connection: a\r\nConnection: close\r\n"), OK_CLOSE],
    ["close beside keep-alive", post("x", "Connection: keep-alive, close\r\n"), OK_CLOSE],
    ["closed, which is not close", post("x", "Connection: closed\r\n"), OK],
    ["HTTP/1.0", post("x", "", "1.0"), OK_CLOSE],
    ["HTTP/1.0 with keep-alive", post("x", "Connection: Keep-Alive\r\n", "1.0"), OK_KEEP],
    [
      "HTTP/1.0 with keep-alive in a list",
      post("x", "Connection: a, keep-alive\r\n", "1.0"),
      OK_KEEP,
    ],
    [
      "HTTP/1.0 with keep-alive and close",
      post("x", "Connection: keep-alive\r\nConnection: close\r\n", "1.0"),
      OK_CLOSE,
    ],
  ] as const
) {
  Deno.test(`B-001 ${name}: the answer says whether the connection goes on, and it does`, () => {
    const connection = new Connection();
    const head = connection.request(request);
    connection.codec.readBody(head, 10);
    assert.equal(bodyIn(connection.events()), "x");
    assert.equal(connection.answer(head), expected);
    const closes = expected === OK_CLOSE;
    assert.equal(connection.codec.finished, closes);
    assert.equal(connection.codec.waiting, closes ? "nothing" : "request");
    assert.equal(connection.feed(GET).length, closes ? 0 : 1);
  });
}

Deno.test("B-001 an answer can end the connection, whatever the client wants", () => {
  const connection = new Connection();
  assert.equal(connection.answer(connection.request(GET), { closes: true }), OK_CLOSE);
  assert.equal(connection.codec.finished, true);
  assert.deepEqual(connection.feed(GET), []);
  assert.equal(connection.codec.unread, 0);
});

Deno.test("what comes behind a request that closes is not read", () => {
  const connection = new Connection();
  const events = connection.feed(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${GET}`);
  assert.equal(events.length, 1);
  assert.equal(connection.codec.unread, 0);
  assert.equal(connection.codec.waiting, "answer");
});

// Bodies

Deno.test("B-019 a body may be as long as whoever reads it says", () => {
  for (const request of [post("12345"), chunkedPost("3\r\n123\r\n2\r\n45\r\n0\r\n\r\n")]) {
    assert.equal(asRequest(readHttp([octets(request)], { maxBody: 5 })[0]).body, "12345");
    const [head, refusal] = readHttp([octets(request)], { maxBody: 4 });
    assert.equal(asRequest(head).body, undefined);
    assert(refusal?.type === "refusal");
    assert.equal(refusal.status, 413);
  }
});

Deno.test("B-019 a declared length over the limit is refused before anything of it comes", () => {
  const connection = new Connection();
  const head = connection.request(
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n",
  );
  assert.equal(connection.codec.readBody(head, 10), undefined);
  const { turn, refusal } = refusalIn(connection.events());
  assert.equal(turn, head);
  assert.equal(refusal.status, 413);
  assert.match(
    connection.answer(turn, { status: 413 })!,
    /^HTTP\/1.1 413 [^]*Connection: close\r\n/,
  );
  assert.equal(connection.codec.finished, true);
});

Deno.test("S-007 room for a body grows with what has come of it, whatever its head promises", () => {
  const length = 1 << 20;
  const head = `POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
  const before = Deno.memoryUsage().external;
  const connections = Array.from({ length: 100 }, () => {
    const connection = new Connection();
    connection.codec.readBody(connection.request(head), length);
    connection.feed("x");
    return connection;
  });
  // Each has promised a mebibyte.
  assert.ok(Deno.memoryUsage().external - before < 4 << 20);
  const rest = "x".repeat(999);
  let events = connections[0]!.feed("");
  for (let sent = 1; sent < length; sent += rest.length) {
    assert.deepEqual(events, []);
    events = connections[0]!.feed(rest.slice(0, length - sent));
  }
  assert.equal(bodyIn(events), "x".repeat(length));
});

Deno.test("B-019 a chunk's size over the limit is refused before anything of it comes", () => {
  const connection = new Connection();
  const head = connection.request(chunkedPost("6\r\n123456\r\n").slice(0, -9));
  connection.codec.readBody(head, 10);
  assert.deepEqual(connection.events(), []);
  assert.deepEqual(connection.feed("\n123456\r\n4"), []);
  assert.equal(connection.codec.waiting, "body");
  assert.equal(refusalIn(connection.feed("0\r\n")).refusal.status, 413);
});

Deno.test("B-013 a length of 0 is no body", () => {
  const connection = new Connection();
  const head = connection.request(post(""));
  assert.equal(head.length, 0);
  assert.equal(connection.codec.readBody(head, 10), undefined);
  assert.equal(connection.answer(head), OK);
});

Deno.test("B-004 an empty body can come in chunks", () => {
  const connection = new Connection();
  const head = connection.request(chunkedPost("0\r\n\r\n"));
  connection.codec.readBody(head, 0);
  assert.equal(bodyIn(connection.events()), "");
});

Deno.test("a body that lies whole in its chunk is a view of it", () => {
  const codec = new HttpCodec(HTTP_LIMITS);
  const chunk = octets(post("hello"));
  codec.feed(chunk);
  const head = codec.next();
  assert(head?.type === "request");
  codec.readBody(head.request, 10);
  const body = codec.next();
  assert(body?.type === "body");
  assert.equal(body.bytes.buffer, chunk.buffer);
});

Deno.test("a body that is asked for later has not been lost", () => {
  const connection = new Connection();
  const chunk = octets(post("hello") + GET);
  connection.codec.feed(chunk);
  const [event] = connection.events();
  chunk.fill(0);
  assert(event?.type === "request");
  assert.equal(connection.codec.waiting, "answer");
  assert.equal(connection.codec.unread, 5 + GET.length);
  connection.codec.readBody(event.request, 10);
  const [body, next] = connection.events();
  assert.equal(bodyIn([body!]), "hello");
  assert.equal(next?.type, "request");
});

Deno.test("a request that is answered without its body is the last one", () => {
  for (const request of [post("hello"), post("hello").slice(0, -3), chunkedPost("0\r\n\r\n")]) {
    for (const wanted of [false, true]) {
      const connection = new Connection();
      const head = connection.request(request);
      if (wanted) connection.codec.readBody(head, 10);
      assert.equal(connection.answer(head), OK_CLOSE);
      assert.equal(connection.codec.finished, true);
      assert.deepEqual(connection.feed(GET), []);
      assert.equal(connection.codec.readBody(head, 10), undefined);
      assert.deepEqual(connection.events(), []);
    }
  }
});

// 100 Continue

Deno.test("B-004 a client that waits for 100 Continue is told when its body is wanted", () => {
  for (
    const [request, rest] of [
      ["Content-Length: 5\r\n", "hello"],
      ["Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"],
    ]
  ) {
    const connection = new Connection();
    const head = connection.request(
      `POST / HTTP/1.1\r\nHost: a\r\nexpect: 100-Continue\r\n${request}\r\n`,
    );
    assert.equal(head.expectsContinue, true);
    assert.equal(binary(connection.codec.readBody(head, 10)!), CONTINUE);
    assert.equal(bodyIn(connection.feed(rest!)), "hello");
    assert.equal(connection.answer(head), OK);
  }
});

Deno.test("B-004 a client that does not wait is not told to go on", () => {
  for (
    const request of [
      post("hello", "Expect: 100-continue\r\n"),
      post("hello", "Expect: 100-continue\r\n").slice(0, -4),
      post("hello", "Expect: 100-continue\r\n", "1.0").slice(0, -5),
      post("hello").slice(0, -5),
    ]
  ) {
    const connection = new Connection();
    assert.equal(connection.codec.readBody(connection.request(request), 10), undefined);
  }
  const connection = new Connection();
  assert.equal(connection.request(post("", "Expect: 100-continue\r\n")).expectsContinue, false);
});

Deno.test("B-004 100 Continue does not overtake an answer", () => {
  const connection = new Connection();
  const first = connection.request(GET);
  const second = connection.request(post("hello", "Expect: 100-continue\r\n").slice(0, -5));
  assert.equal(connection.codec.readBody(second, 10), undefined);
  assert.equal(connection.answer(first), OK + CONTINUE);
  assert.equal(bodyIn(connection.feed("hello")), "hello");
  assert.equal(connection.answer(second), OK);
});

Deno.test("another expectation is refused", () => {
  const { turn, refusal } = refusalIn(new Connection().feed(post("x", "Expect: 200-ok\r\n")));
  assert.equal(refusal.status, 417);
  assert.equal(turn.persistent, false);
});

// Pipelining

Deno.test("B-011 a second request comes while the first has no answer", () => {
  const connection = new Connection();
  const [first, second] = connection.feed(GET + GET);
  assert(first?.type === "request" && second?.type === "request");
  assert.equal(connection.codec.unanswered, 2);
  assert.equal(connection.answer(first.request), OK);
  assert.equal(connection.answer(second.request), OK);
  assert.equal(connection.codec.unanswered, 0);
});

Deno.test("B-011 answers go out in the order of the requests", () => {
  const connection = new Connection();
  const [first, second, third] = [GET, GET, GET].map((text) => connection.request(text));
  assert.equal(connection.answer(third!, { body: "3" }), undefined);
  assert.equal(connection.answer(second!, { body: "2" }), undefined);
  const out = connection.answer(first!, { body: "1" })!;
  assert.deepEqual(out.match(/\r\n\r\n(\d)/g), ["\r\n\r\n1", "\r\n\r\n2", "\r\n\r\n3"]);
  assert.equal(connection.answer(connection.request(GET)), OK);
});

Deno.test("B-011 no more requests come than may be without an answer", () => {
  const connection = new Connection();
  const events = connection.feed(GET.repeat(HTTP_LIMITS.requests + 2));
  assert.equal(events.length, HTTP_LIMITS.requests);
  assert.equal(connection.codec.waiting, "answer");
  assert.equal(connection.codec.unread, 2 * GET.length);
  assert(events[0]?.type === "request");
  connection.answer(events[0].request);
  assert.equal(connection.events().length, 1);
  assert.equal(connection.codec.unread, GET.length);
});

Deno.test("an answer that closes gives up the requests behind it", () => {
  const connection = new Connection();
  const [first, second, third] = [GET, GET, GET].map((text) => connection.request(text));
  assert.equal(connection.answer(third!), undefined);
  assert.equal(connection.answer(second!, { closes: true }), undefined);
  assert.equal(connection.codec.finished, false);
  assert.deepEqual(connection.feed(GET), []);
  assert.equal(connection.answer(first!), OK + OK_CLOSE);
  assert.equal(connection.codec.finished, true);
  assert.equal(connection.codec.unanswered, 0);
  assert.equal(connection.answer(third!), undefined);
});

Deno.test("S-016 a refusal waits for the answers before it", () => {
  const connection = new Connection();
  const [first, refused] = connection.feed(`${GET}nonsense\r\n`);
  assert(first?.type === "request" && refused?.type === "refusal");
  assert.equal(connection.answer(refused.turn, { status: 400, body: "" }), undefined);
  const out = connection.answer(first.request)!;
  assert(out.startsWith(`${OK}HTTP/1.1 400 Bad Request\r\n`));
  assert(out.includes("Connection: close\r\n"));
  assert.equal(connection.codec.finished, true);
});

Deno.test("a refused HEAD is answered without a body", () => {
  const connection = new Connection();
  const { turn } = refusalIn(connection.feed("HEAD / HTTP/1.1\r\n\r\n"));
  assert(connection.answer(turn, { status: 400 })!.endsWith("Connection: close\r\n\r\n"));
});

// A body that follows

Deno.test("a body that is made while it is sent ends with its connection, in its turn, and HEAD has none", () => {
  const connection = new Connection();
  const [first, second] = [connection.request(GET), connection.request(GET)];
  const [source, other] = [{}, {}];
  const third = connection.request(GET);
  assert.equal(connection.answer(third, { source: other, body: "" }), undefined);
  assert.equal(connection.answer(second, { source, body: "" }), undefined);
  assert.equal(connection.codec.source, undefined);
  const octets = connection.answer(first)!;
  assert(octets.startsWith(OK) && octets.endsWith("Connection: close\r\n\r\n"));
  assert.doesNotMatch(octets.slice(OK.length), /Content-Length/);
  assert.equal(connection.codec.source, source);
  assert.equal(connection.codec.finished, false);
  assert.equal(connection.codec.waiting, "nothing");
  assert.deepEqual(connection.feed(GET), []);

  const asked = new Connection();
  const text = asked.answer(asked.request(GET.replace("GET", "HEAD")), { source, body: "" })!;
  assert.doesNotMatch(text, /Content-Length/);
  assert.equal(asked.codec.source, undefined);
  assert.equal(asked.codec.finished, true);
});

// Another protocol

const UPGRADE = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n" +
  "Upgrade: websocket\r\n\r\n";

Deno.test("an upgrade that is accepted hands over what follows as it is", () => {
  const connection = new Connection();
  const head = connection.request(`${UPGRADE}\x81\x85raw`);
  assert.equal(head.upgrade, "websocket");
  assert.equal(connection.codec.waiting, "answer");
  assert.deepEqual(connection.feed("more"), []);
  assert.equal(connection.codec.unread, 9);
  assert.equal(
    connection.answer(head, { status: 101, headers: { upgrade: "websocket" } }),
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  );
  assert.equal(connection.codec.upgraded, true);
  assert.equal(connection.codec.finished, false);
  assert.equal(connection.codec.waiting, "nothing");
  assert.equal(binary(connection.codec.rest()), "\x81\x85rawmore");
  assert.equal(connection.codec.rest().length, 0);
  assert.deepEqual(connection.feed(GET), []);
});

Deno.test("an upgrade that is not accepted goes on in HTTP", () => {
  const connection = new Connection();
  const head = connection.request(UPGRADE + GET);
  assert.equal(connection.codec.rest().length, 0);
  assert.equal(connection.answer(head), OK);
  assert.deepEqual(connection.events().map(({ type }) => type), ["request"]);
});

Deno.test("an upgrade waits for the answers before it", () => {
  const connection = new Connection();
  const first = connection.request(GET);
  const second = connection.request(`${UPGRADE}raw`);
  assert.equal(connection.answer(second, { status: 101, headers: { upgrade: "x" } }), undefined);
  assert.equal(connection.codec.upgraded, false);
  assert(connection.answer(first)!.startsWith(`${OK}HTTP/1.1 101 `));
  assert.equal(binary(connection.codec.rest()), "raw");
});

Deno.test("a wish for another protocol is ignored where it is not one", () => {
  for (
    const text of [
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
      "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
      post("x", "Connection: upgrade\r\nUpgrade: h2c\r\n"),
    ]
  ) {
    const connection = new Connection();
    const head = connection.request(text);
    assert.equal(head.upgrade, undefined);
    assert.throws(() => connection.answer(head, { status: 101 }), TypeError);
  }
});

// What can be asked

Deno.test("a codec says what it waits for", () => {
  const connection = new Connection();
  const { codec } = connection;
  assert.equal(codec.waiting, "request");
  connection.feed("\r\n");
  assert.equal(codec.waiting, "request");
  connection.feed("P");
  assert.equal(codec.waiting, "head");
  assert.equal(codec.unread, 0);
  const head = connection.request(post("hello").slice(1, -2));
  assert.equal(codec.waiting, "answer");
  codec.readBody(head, 10);
  assert.equal(codec.waiting, "body");
  connection.events();
  connection.feed("lo");
  assert.equal(codec.waiting, "request");
  connection.answer(head);
  assert.equal(codec.waiting, "request");
});

Deno.test("whoever answers twice is told", () => {
  const connection = new Connection();
  const [first, second] = [GET, GET].map((text) => connection.request(text));
  connection.answer(second!);
  assert.throws(() => connection.answer(second!), TypeError);
  connection.answer(first!);
  assert.throws(() => connection.answer(first!), TypeError);
});
