import assert from "node:assert/strict";
import type { XmppClient } from "../support/clients/client.ts";
import { logIn, xmpp4r } from "../support/clients/xmpp4r.ts";
import { manage } from "../support/everyday.ts";
import { currentFront, onBothFronts } from "../support/fronts.ts";
import { readTurns } from "../support/http_turns.ts";
import type { RunningManager } from "../support/manager.ts";
import { patiently, until } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { ACCOUNTS, Prosody } from "../support/prosody.ts";
import { RecordingRelay } from "../support/recording_relay.ts";

// One server for all the tests of this file.
let prosody: Promise<Prosody> | undefined;
Deno.test.afterAll(async () => await (await prosody)?.[Symbol.asyncDispose]());

interop(
  "X-007 X-012 X-018 B-037 B-045 B-050 B-067 T-15 xmpp4r finds the features in the answer that " +
    "creates its session, though it names no version, and in that to its restart",
  async ({ relay, manager, server, logIn }) => {
    const romeo = await logIn({ route: "example.test" });
    await hearsItself(romeo, "art thou not Romeo?");
    await romeo.logOut();
    assert.match(await server.session(romeo.jid), /Received <\/stream:stream>/);
    await until(() => manager.manager.sessions === 0 || undefined, "the session has ended");

    const [creation, ...others] = exchanges(relay);
    assert.match(creation!.request, / secure='true'/);
    assert.match(creation!.request, / route='xmpp:example\.test:5222'/);
    assert.doesNotMatch(creation!.request, / ver=| xmpp:version=/);
    for (const name of ["polling", "requests", "inactivity", "maxpause"]) {
      assert.match(creation!.answer!, new RegExp(`^<body [^>]*\\b${name}='\\d+'`));
    }
    assert.match(creation!.answer!, /^<body [^>]*\bauthid='[^']/);
    assert.match(creation!.answer!, /<stream:features [^]*<mechanism>PLAIN</);
    const restart = others.find(({ request }) => request.includes("restart"))!;
    assert.match(restart.request, / xmpp:restart='true'/);
    assert.doesNotMatch(restart.request, / to=/);
    assert.match(restart.answer!, /<stream:features [^]*<bind /);
  },
);

interop(
  "B-059 T-09 xmpp4r, which waits for a tenth longer than it is told and then sends again what it " +
    "had sent, has no reason to",
  async ({ relay, logIn }) => {
    const romeo = await logIn();
    await hearsItself(romeo, "art thou not Romeo?");
    const polls = () => exchanges(relay).filter(({ answer }) => answer?.endsWith("httpbind'/>"));
    await until(() => polls().length >= 2 || undefined, "two polls have come back empty");
    await hearsItself(romeo, "and a Montague?");
    await romeo.logOut();
    for (const { request, answer } of exchanges(relay)) assert.ok(answer !== undefined, request);
    const rids = exchanges(relay).map(({ rid }) => rid);
    assert.deepEqual(rids, rids.map((_, i) => rids[0]! + i));
    const said = exchanges(relay).flatMap(({ request }) =>
      /<body>([^<]*)<\/body><\/message>/.exec(request)?.slice(1) ?? []
    );
    assert.deepEqual(said, ["art thou not Romeo?", "and a Montague?"]);
  },
);

interop(
  "B-105 X-001 X-015 T-05 T-07 xmpp4r is told of a stream error, overlooks that its session is over, " +
    "and asks in vain until it goes",
  async ({ relay, manager, logIn }) => {
    const resource = uniqueResource();
    const first = await logIn({ resource });
    await logIn({ resource });
    assert.equal(await patiently(first.ended, "the first one's session ends"), "conflict");
    const ends = () => exchanges(relay).filter(({ answer }) => answer?.includes("'terminate'"));
    const [end, ...later] = await until(() => {
      return ends().length > 5 ? ends() : undefined;
    }, "it has asked again");
    assert.match(end!.answer!, /<stream:error [^]*<conflict /);
    for (const { answer } of later) assert.match(answer!, / condition='remote-stream-error'/);
    assert.deepEqual(later.map(({ rid }) => rid), later.map((_, i) => end!.rid + 1 + i));
    assert.equal(manager.manager.sessions, 1);
  },
);

interface Stage {
  readonly server: Prosody;
  readonly manager: RunningManager;
  /** Before the manager. */
  readonly relay: RecordingRelay;
  /** As romeo. */
  logIn(options?: { readonly resource?: string; readonly route?: string }): Promise<XmppClient>;
}

/** A test with the server; reported as ignored where there is none. */
function interop(name: string, run: (stage: Stage) => Promise<void>): void {
  const [kind] = xmpp4r;
  const fn = async () => {
    const server = await (prosody ??= Prosody.start({ certificate: "example.test", plain: true }));
    await using manager = await manage(kind!, server, currentFront());
    await using relay = new RecordingRelay(Number(new URL(manager.url).port));
    await using people = new AsyncDisposableStack();
    await run({
      server,
      manager,
      relay,
      async logIn({ resource = uniqueResource(), ...options } = {}) {
        const url = `http://127.0.0.1:${relay.port}`;
        const credentials = { user: "romeo", password: ACCOUNTS.romeo!, resource };
        const client = await logIn(url, credentials, options);
        return people.adopt(client, () => client.abandon!());
      },
    });
  };
  onBothFronts(name, fn, haveProgram("prosody", ...kind!.programs!));
}

interface Post {
  readonly rid: number;
  readonly request: string;
  readonly answer: string | undefined;
}

/** In the order of their rids; each had a connection of its own. */
function exchanges({ passages }: RecordingRelay): Post[] {
  return passages.map(readTurns).filter(({ length }) => length > 0).map((turns) => {
    const [request, answer, ...others] = turns;
    assert.equal(others.length, 0);
    const rid = Number(/^<body [^>]*\brid='(\d+)'/.exec(request!.body)![1]);
    return { rid, request: request!.body, answer: answer?.body };
  }).sort((a, b) => a.rid - b.rid);
}

async function hearsItself(client: XmppClient, body: string): Promise<void> {
  client.send(client.jid, { id: "", body });
  assert.equal((await client.receive()).body, body);
}

function uniqueResource(): string {
  return crypto.randomUUID().slice(0, 8);
}
