/** What the matrix does not show of our own clients: the wire habits of those for which they stand. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { authorityFile } from "../support/certificates/certificates.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import type { Credentials, XmppClient } from "../support/clients/client.ts";
import { logInLikeJbosh } from "../support/clients/jbosh_like.ts";
import { logInLikeJsjac } from "../support/clients/jsjac_like.ts";
import type { ScriptedClient } from "../support/clients/scripted_client.ts";
import { logInTwice } from "../support/clients/streams_like.ts";

// One server for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => await (await prosody)?.[Symbol.asyncDispose]());

scripted(
  "B-107 B-109 T-14 JSJaC's keys: every request has one, and every fourteenth begins another sequence",
  logInLikeJsjac,
  async (romeo) => {
    for (let i = 0; i < 40; i++) await exchange(romeo, `message ${i}`);
    await romeo.logOut();
    const keys = romeo.line.sent.map(({ attributes }) => ({
      key: valueOf(attributes, "key"),
      newkey: valueOf(attributes, "newkey"),
    }));
    const [creation, ...later] = keys;
    assert.ok(creation?.key === undefined && creation?.newkey !== undefined);
    let before = creation.newkey;
    for (const { key, newkey } of later) {
      assert.equal(createHash("sha1").update(key!).digest("hex"), before);
      before = newkey ?? key!;
    }
    const rotations = later.flatMap(({ newkey }, i) => newkey === undefined ? [] : [i + 1]);
    assert.ok(rotations.length >= 3, String(rotations));
    for (const [i, at] of rotations.entries()) assert.equal(at, 14 * (i + 1));
  },
);

scripted(
  "B-097 B-110 T-14 JSJaC repeats what was not answered with the key that it had, and gets the same answer",
  logInLikeJsjac,
  async (romeo) => {
    for (let i = 0; i < 20; i++) {
      romeo.line.loseNext();
      await exchange(romeo, `message ${i}`);
    }
    const { repeated } = romeo.line;
    assert.equal(repeated.length, 20);
    for (const { attributes, lost, found } of repeated) {
      assert.match(attributes, /\bkey='/);
      assert.equal(found, lost);
    }
    assert.ok(repeated.some(({ attributes }) => attributes.includes(" newkey=")));
    await romeo.logOut();
  },
);

scripted(
  "B-083 T-14 JSJaC's last words before a page is left stand in the request for a pause",
  logInLikeJsjac,
  async (romeo) => {
    const body = "said while the page closes";
    const paused = await romeo.line.ask(
      "pause='20'",
      `<message xmlns='jabber:client' to='${romeo.jid}' id='last'><body>${body}</body></message>`,
    );
    assert.equal(paused.type, undefined);
    assert.deepEqual(await romeo.receive(), { from: romeo.jid, id: "last", body });
    await romeo.logOut();
  },
);

scripted(
  "B-070 B-071 B-074 T-16 jbosh hears by a report which answer it lacks, and gets that one",
  logInLikeJbosh,
  async (romeo) => {
    const creation = romeo.traffic.find((text) => text.includes(" sid="))!;
    assert.equal(Number(valueOf(creation, "ack")), romeo.line.sent[0]!.rid);
    assert.doesNotMatch(creation, / accept=/, "else it would compress its requests");
    for (let i = 0; i < 5; i++) {
      romeo.line.loseNext();
      await exchange(romeo, `message ${i}`);
    }
    const { repeated } = romeo.line;
    assert.equal(repeated.length, 5);
    for (const { rid, lost, found } of repeated) {
      assert.equal(found, lost);
      const report = romeo.traffic.find((text) => text.includes(` report='${rid}'`));
      assert.ok(Number(valueOf(report!, "time")) >= 0);
    }
    await romeo.logOut();
  },
  "report = true",
);

scripted(
  "B-074 T-16 jbosh lives where nothing is reported, acknowledging what it has read",
  logInLikeJbosh,
  async (romeo, manager) => {
    for (let i = 0; i < 5; i++) await exchange(romeo, `message ${i}`);
    await romeo.logOut();
    const acks = romeo.line.sent.filter(({ attributes }) => /\back='/.test(attributes));
    assert.ok(acks.length > 1);
    for (const { rid, attributes } of acks.slice(1)) {
      assert.ok(Number(valueOf(attributes, "ack")) < rid - 1);
    }
    assert.ok(!romeo.traffic.some((text) => text.includes(" report=")));
    assert.ok(manager.events.some(({ type }) => type === "responses-acknowledged"));
  },
);

scripted(
  "B-113 B-114 B-115 one session has two streams to one server, and the end of one leaves the other",
  logInTwice,
  async (romeo, manager, server) => {
    const { second } = romeo;
    const { sessions } = manager.manager;
    assert.equal(sessions, 1);
    assert.notEqual(second.jid, romeo.jid);
    romeo.send(second.jid, { id: "1", body: "to my other self" });
    const { from, body } = await second.messages.take();
    assert.deepEqual({ from, body }, { from: romeo.jid, body: "to my other self" });
    second.send(romeo.jid, { id: "2", body: "and back" });
    assert.equal((await romeo.receive()).from, second.jid);
    assert.equal(await romeo.ask(), "result");

    assert.equal(await romeo.endSecond(), "");
    assert.match(await server.session(second.jid), /Received <\/stream:stream>/);
    assert.equal(manager.manager.sessions, 1);
    await exchange(romeo, "still here");
    await romeo.logOut();
    assert.match(await server.session(romeo.jid), /Received <\/stream:stream>/);
  },
);

/** A test of one client before the server, which must leave nothing behind; ignored where there is no server. */
function scripted<Client extends ScriptedClient>(
  name: string,
  logIn: (url: string, credentials: Credentials) => Promise<Client>,
  run: (romeo: Client, manager: RunningManager, server: Prosody) => Promise<void>,
  bosh = "",
): void {
  const fn = async () => {
    const server = await (prosody ??= Prosody.start());
    await using manager = await runManager({
      toml: `
        [bosh]
        max_wait = 3
        ${bosh}
        [upstream]
        tls = "required"
        [domains."example.test"]
        connect = "xmpp://127.0.0.1:${server.port}"
        ca = "${authorityFile}"
      `,
    });
    const resource = crypto.randomUUID().slice(0, 8);
    const romeo = await logIn(manager.url, {
      user: "romeo",
      password: ACCOUNTS.romeo!,
      resource,
    });
    try {
      await run(romeo, manager, server);
    } finally {
      romeo.abandon?.();
    }
    await until(() => manager.manager.sessions === 0 || undefined, "the session has ended");
    const ends = manager.events.filter((event) => event.type === "session-ended");
    assert.deepEqual(ends.map(({ condition, reason }) => ({ condition, reason })), [
      { condition: undefined, reason: "the client ended the session" },
    ]);
  };
  onBothFronts({ name, ...haveProgram("prosody"), fn });
}

async function exchange(client: XmppClient, body: string): Promise<void> {
  client.send(client.jid, { id: body, body });
  assert.deepEqual(await client.receive(), { from: client.jid, id: body, body });
}

/** The value of an attribute, in what may have others. */
function valueOf(text: string, name: string): string | undefined {
  return new RegExp(`(?:^| )${name}='([^']*)'`).exec(text)?.[1];
}
