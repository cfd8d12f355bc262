import assert from "node:assert/strict";
import { bodyOf, type HttpConnection } from "../support/bosh_client.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";
import { CREATION, idsOf, message, pass, Stage, type Talk } from "./stage.ts";

/** How a POST comes: the pieces of it, each in a segment of its own. */
const WAYS: Readonly<Record<string, (head: string, body: string) => readonly string[]>> = {
  "in one segment": (head, body) => [head + body],
  "with its body in a second segment": (head, body) => [head, body],
  "cut inside its head and its body": (head, body) => [
    head.slice(0, 20),
    head.slice(20) + body.slice(0, 20),
    body.slice(20),
  ],
};

const BIG = message("up", `<body>${"x".repeat(100_000)}</body>`);

/** How a client leaves. */
const LEAVINGS: Readonly<Record<string, (connection: HttpConnection) => void>> = {
  "both sides closed": (connection) => connection.abort(),
  "a reset": (connection) => connection.reset(),
  "its side closed": (connection) => connection.end(),
};

for (const [way, cut] of Object.entries(WAYS)) {
  for (const [leaving, leave] of Object.entries(LEAVINGS)) {
    onFront(
      "sockets",
      `B-068 B-078 the loss of a client is seen at once: a POST ${way}, and ${leaving}`,
      async () => {
        await using stage = await Stage.set();
        const talk = await stage.open();
        const { client } = talk;
        for (const content of ["", BIG]) {
          const connection = client.connect();
          await write(connection, cut(...request(talk, connection, content)));
          if (content !== "") await talk.upstream.expect("</message>");
          leave(connection);
          await nothingIsEntrusted(talk);
        }
      },
    );
  }
}

onFront(
  "sockets",
  "B-011 B-068 B-078 the loss of a client is seen at once while pipelined requests of it are held",
  async () => {
    await using stage = await Stage.set();
    for (const leave of Object.values(LEAVINGS)) {
      const talk = await stage.open(CREATION.replace("hold='1'", "hold='3'"));
      const connection = talk.client.connect();
      const requests = ["", message("a"), message("up")].map((content) =>
        request(talk, connection, content).join("")
      );
      await write(connection, [requests.join("")]);
      for (let i = 0; i < 2; i++) await talk.upstream.expect("</message>");
      leave(connection);
      await nothingIsEntrusted(talk);
    }
  },
);

onBothFronts(
  "B-068 B-117 a request whose way is closed before it is whole is to be sent again, and no client's mistake",
  async () => {
    await using stage = await Stage.set({ limits: "unauthenticated_bytes = 1_000_000" });
    const talk = await stage.open();
    const { client, upstream } = talk;
    const connection = client.connect();
    const answer = connection.expectAnswer();
    const [head, body] = request(talk, connection, BIG);
    await write(connection, [head + body.slice(0, 50_000)]);
    connection.end();
    assert.equal((await answer).status, 503);
    const again = client.send("", BIG, { rid: client.rid });
    assert.equal(await upstream.expect("</message>"), BIG);
    upstream.write(message("down"));
    assert.deepEqual(idsOf(await again.answer), ["down"]);
  },
);

/** Head and body of the next request of a client. */
function request({ client }: Talk, connection: HttpConnection, content: string): [string, string] {
  const body = bodyOf(`rid='${++client.rid}' sid='${client.sid}'`, content);
  const text = new TextDecoder().decode(connection.encode({ body }));
  return [text.slice(0, -body.length), body];
}

async function write(connection: HttpConnection, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    connection.write(piece);
    await pass(0.03);
  }
}

/** What comes from the server now waits for the client's next request. */
async function nothingIsEntrusted({ client, upstream }: Talk): Promise<void> {
  await pass(0.1);
  upstream.write(message("down"));
  await pass(0.05);
  const connection = client.connect();
  const start = performance.now();
  assert.deepEqual(idsOf(await client.ask("", "", { connection })), ["down"]);
  assert.ok(performance.now() - start < 3_000, "it waits for no held request's end");
}
