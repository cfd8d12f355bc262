// What holds: every request gets exactly one answer, in order, or the connection is gone.

/**
 * Valid requests of every kind, cut anywhere, behind each other, from clients some of which leave
 * early, all on one listener. fast-check prints the seed of a failure; SEED=n plays it again.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Answer, Exchange } from "../../src/server/exchange.ts";
import { head, SocketsStage, textAnswer } from "../support/sockets_stage.ts";
import { settled, type Wire } from "../support/wire.ts";

const SEED = Deno.env.get("SEED");

const kind = fc.constantFrom("now", "later", "length", "chunked", "late", "HEAD", "long", "old");

const client = fc.record({
  requests: fc.array(fc.record({ kind, size: fc.nat(2_000) }), {
    minLength: 1,
    maxLength: 50,
    size: "+1",
  }),
  /** Where the octets are cut, modulo their number; and whether the pieces come apart. */
  cuts: fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 12 }),
  leaving: fc.option(
    fc.record({ after: fc.nat(), how: fc.constantFrom("destroy", "reset", "end") }),
    { freq: 2 },
  ),
});

type Client = typeof client extends fc.Arbitrary<infer T> ? T : never;

Deno.test("B-011 every request gets exactly one answer, in order, or the connection is gone", async () => {
  const asked = new Map<string, number>();
  // What a client that left has sent may be read in the next run.
  let names = 0;
  await using stage = await SocketsStage.set({ handle: (exchange) => answer(exchange, asked) });
  await fc.assert(
    fc.asyncProperty(fc.array(client, { minLength: 1, maxLength: 4 }), async (clients) => {
      await Promise.all(clients.map((client) => play(stage, client, String(++names), asked)));
      assert.deepEqual(stage.faults, []);
      for (const [request, times] of asked) assert.equal(times, 1, `${request} was read once`);
    }),
    {
      numRuns: 150,
      interruptAfterTimeLimit: 60_000,
      ...(SEED === undefined ? {} : { seed: Number(SEED) }),
    },
  );
});

/** `/kind?name` of a request is what happens to it and what its answer says. */
function answer(exchange: Exchange, asked: Map<string, number>): Answer | undefined {
  const name = exchange.query;
  asked.set(name, (asked.get(name) ?? 0) + 1);
  const later = (answer: Answer) =>
    void setTimeout(() => exchange.respond(answer), name.charCodeAt(name.length - 1) % 4);
  switch (exchange.path) {
    case "/later":
      return void later(textAnswer(200, name));
    case "/long":
      return textAnswer(200, name + "x".repeat(30_000));
    case "/length":
    case "/chunked":
      return void exchange.readBody(
        10_000,
        (body) => exchange.respond(textAnswer(200, `${name} ${body?.length}`)),
      );
    case "/late":
      return void exchange.readBody(
        10_000,
        (body) => later(textAnswer(200, `${name} ${body?.length}`)),
      );
    default:
      return textAnswer(200, name);
  }
}

/** A request as it is sent, and the body of its answer. */
function encode(
  { kind, size }: Client["requests"][number],
  name: string,
): { readonly text: string; readonly body: string } {
  const target = `/${kind}?${name}`;
  const content = "x".repeat(size);
  switch (kind) {
    case "HEAD":
      return { text: head(`HEAD ${target}`), body: "" };
    case "old":
      return { text: `GET ${target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`, body: name };
    case "long":
      return { text: head(target), body: name + "x".repeat(30_000) };
    case "length":
    case "late":
      return {
        text: head(`POST ${target}`, `Content-Length: ${size}`) + content,
        body: `${name} ${size}`,
      };
    case "chunked": {
      const middle = size >> 1;
      const chunks = [content.slice(0, middle), content.slice(middle), ""]
        .filter((chunk, i) => chunk !== "" || i === 2)
        .map((chunk) => `${chunk.length.toString(16)};a=b\r\n${chunk}\r\n`);
      return {
        text: head(`POST ${target}`, "Transfer-Encoding: chunked") + chunks.join(""),
        body: `${name} ${size}`,
      };
    }
    default:
      return { text: head(target), body: name };
  }
}

async function play(
  stage: SocketsStage,
  { requests, cuts, leaving }: Client,
  name: string,
  asked: ReadonlyMap<string, number>,
): Promise<void> {
  const encoded = requests.map((request, i) => encode(request, `${name}.${i}`));
  const all = encoded.map(({ text }) => text).join("");
  const sent = all.slice(0, leaving === null ? undefined : leaving.after % (all.length + 1));
  const places = cuts.map(([at, apart]) => [at % (sent.length + 1), apart] as const)
    .sort(([a], [b]) => a - b);
  const wire = await stage.connect();
  let from = 0;
  for (const [to, apart] of [...places, [sent.length, false] as const]) {
    wire.write(sent.slice(from, to));
    from = to;
    if (apart) await settled(1);
  }
  let complete = 0;
  for (let end = 0; complete < encoded.length; complete++) {
    end += encoded[complete]!.text.length;
    if (end > sent.length) break;
  }
  if (leaving === null || leaving.how === "end") {
    if (leaving !== null) wire.end();
    const answers = await read(wire, requests, leaving === null ? encoded.length : undefined);
    const bodies = encoded.map(({ body }) => body);
    assert.deepEqual(answers.slice(0, complete), bodies.slice(0, complete));
    // A body that broke off is answered too.
    assert.ok(answers.length <= complete + 1, `${answers.length} answers to ${complete} requests`);
    for (let i = 0; i < complete; i++) assert.ok(asked.has(`${name}.${i}`));
    wire.destroy();
  } else {
    wire[leaving.how as "destroy" | "reset"]();
    const answers = parse(wire.received, requests);
    assert.ok(answers.length <= complete);
    assert.deepEqual(answers, encoded.slice(0, answers.length).map(({ body }) => body));
  }
}

/** So many answers; or, if there is no number, all until the other side ends. */
async function read(
  wire: Wire,
  requests: Client["requests"],
  count: number | undefined,
): Promise<string[]> {
  if (count === undefined) return parse(await wire.rest(), requests);
  for (const start = performance.now();; await settled(1)) {
    const answers = parse(wire.received, requests);
    if (answers.length >= count) return answers;
    assert.ok(!wire.isEnded, `the end after ${answers.length} of ${count} answers`);
    assert.ok(performance.now() - start < 10_000, `${answers.length} of ${count} answers came`);
  }
}

/** The bodies of the answers that are there whole. */
function parse(text: string, requests: Client["requests"]): string[] {
  const bodies: string[] = [];
  for (let at = 0;;) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0) return bodies;
    const lines = text.slice(at, end);
    assert.match(lines, /^HTTP\/1\.1 200 /);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(lines)![1]);
    const start = end + 4;
    const isHead = requests[bodies.length]?.kind === "HEAD";
    const body = isHead ? "" : text.slice(start, start + length);
    if (!isHead && body.length < length) return bodies;
    bodies.push(body);
    at = start + body.length;
  }
}
