import assert from "node:assert/strict";
import { configOf } from "../support/manager.ts";
import { bodyOf, HttpConnection, type HttpResponse } from "../support/bosh_client.ts";
import { onBothFronts } from "../support/fronts.ts";
import { Wire } from "../support/wire.ts";
import { CREATION, message, Stage } from "./stage.ts";

Deno.test("S-001 without a word of the operator's, only this machine is listened to", () => {
  const places = (toml: string) =>
    configOf(toml).listen.map(({ at }) => "address" in at ? at.address : at);
  assert.deepEqual(places(""), ["127.0.0.1"]);
  assert.deepEqual(places("[[listen]]\nport = 80"), ["127.0.0.1"]);
  assert.deepEqual(places("[domains.'example.test']"), ["127.0.0.1"]);
});

/** All of an answer but for its time. */
function octets({ version, status, headers, body }: HttpResponse): string {
  const fields = [...headers].filter(([name]) => name !== "date").sort();
  return JSON.stringify([version, status, fields, new TextDecoder().decode(body)]);
}

onBothFronts(
  "S-003 B-041 who guesses a sid, a rid or a key is told the same, byte by byte, header by header",
  async () => {
    await using stage = await Stage.set();
    const ask = async (attributes: string, content = ""): Promise<string> => {
      const connection = new HttpConnection(stage.url);
      const answer = await connection.send({ body: bodyOf(attributes, content) });
      connection.abort();
      return octets(answer);
    };
    const open = async (more = "") => {
      const { client, upstream } = await stage.open(`${CREATION} ${more}`);
      return { sid: client.sid, next: client.rid + 1, upstream };
    };
    const answers: string[] = [];
    for (const sid of ["x", "AAAAAAAAAAAAAAAAAAAAAA", "a".repeat(300), "", "../x"]) {
      answers.push(await ask(`sid='${sid}' rid='5'`), await ask(`sid='${sid}' rid='5' key='x'`));
      answers.push(await ask(`sid='${sid}' rid='5'`, message(1)));
    }
    for (const distance of [100, -100, 2 ** 40]) {
      const { sid, next } = await open();
      answers.push(await ask(`sid='${sid}' rid='${next + distance}'`, message(1)));
    }
    for (const key of ["", "key=''", `key='${"0".repeat(40)}'`, "key='x'", "newkey='y'"]) {
      const { sid, next } = await open(`newkey='${"0".repeat(40)}'`);
      answers.push(await ask(`sid='${sid}' rid='${next}' ${key}`));
    }
    assert.equal(new Set(answers).size, 1, [...new Set(answers)].join("\n"));
    assert.match(answers[0]!, /condition='item-not-found'/);
    assert.match(answers[0]!, /^\["1\.1",200,/);
  },
);

onBothFronts("S-003 B-046 the sids of a hundred sessions have nothing in common", async () => {
  await using stage = await Stage.set();
  stage.welcomeAll();
  const seen = new Set<string>();
  for (let i = 0; i < 10; i++) {
    const clients = Array.from({ length: 10 }, () => stage.client());
    await Promise.all(clients.map((client) => client.create(CREATION)));
    for (const { sid } of clients) seen.add(sid);
    for (const client of clients) client.close();
  }
  assert.equal(seen.size, 100);
  for (const sid of seen) assert.match(sid, /^[A-Za-z0-9_-]{22,}$/);
  // No place of it is the same in all of them, or tells one from the next.
  for (let at = 0; at < 21; at++) {
    assert.ok(new Set([...seen].map((sid) => sid[at])).size > 20, `place ${at}`);
  }
});

onBothFronts(
  "S-005 a session goes on from another address, and back, and is bound to none",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const { hostname, port } = new URL(stage.url);
    const moves = ["127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.2"];
    for (const localAddress of moves) {
      using wire = await Wire.connect({ host: hostname, port: Number(port), localAddress });
      const body = bodyOf(`rid='${++client.rid}' sid='${client.sid}'`, message(localAddress));
      wire.write(
        `POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      assert.match(await upstream.expect("</message>"), new RegExp(`id='${localAddress}'`));
      upstream.write(message(`to-${localAddress}`));
      await wire.expect(new RegExp(`HTTP/1\\.1 200 [^]*id='to-${localAddress}'`));
    }
    const held = client.send();
    upstream.write(message("home"));
    assert.equal((await held.answer).payloads.length, 1);
    const ended = stage.running.events.filter(({ type }) => type === "session-ended");
    assert.deepEqual(ended, []);
  },
);

onBothFronts("S-010 neither a cookie nor HTTP authentication speaks for a session", async () => {
  await using stage = await Stage.set();
  const { client } = await stage.open();
  const headers = {
    Cookie: `sid=${client.sid}; JSESSIONID=${client.sid}`,
    Authorization: `Bearer ${client.sid}`,
  };
  const connection = new HttpConnection(stage.url);
  const { status, headers: answered, body } = await connection.send({
    headers,
    body: bodyOf(`rid='${client.rid + 1}'`, message(1)),
  });
  assert.equal(status, 200);
  assert.match(new TextDecoder().decode(body), /condition='improper-addressing'/);
  for (const name of ["set-cookie", "www-authenticate", "access-control-allow-credentials"]) {
    assert.equal(answered.get(name), undefined);
  }
  connection.abort();
});
