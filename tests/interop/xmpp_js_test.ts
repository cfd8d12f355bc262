/**
 * What the matrix does not show of @xmpp/client: it comes back by itself when its WebSocket is gone,
 * and resumes its stream (XEP-0198), whatever went away.
 */
import assert from "node:assert/strict";
import { ACCOUNTS } from "../support/accounts.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import type { XmppClient } from "../support/clients/client.ts";
import { logInLikeJsjac } from "../support/clients/jsjac_like.ts";
import { logIn } from "../support/clients/xmpp_js.ts";
import { FaultyRelay } from "../support/faulty_relay.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";
import { patiently } from "../support/patience.ts";
import { haveProgram } from "../support/programs.ts";
import { type ServerKind, serverKinds, type XmppServer } from "../support/xmpp_server.ts";

/** Those that have stream management. */
const RESUMING = serverKinds.filter(({ name }) => name !== "jabberd2");

// One server of each kind for all the tests of this file.
const started = new Map<ServerKind, Promise<XmppServer>>();
Deno.test.afterAll(async () => {
  for (const server of started.values()) await (await server)[Symbol.asyncDispose]();
});

resuming(
  "U-026 W-030 W-039 T-39 @xmpp/client resumes when the network has cut its WebSocket, and all messages of both sides come once",
  async (server) => {
    await using manager = await manage(server.port);
    await using network = await FaultyRelay.to(portOf(manager.url));
    await using romeo = await Person.romeo(network.port);
    await using juliet = await Person.juliet(portOf(manager.url));
    for (let round = 1; round <= 2; round++) {
      romeo.writesTo(juliet);
      juliet.writesTo(romeo);
      // What they write now is lost on its way, and neither knows.
      network.fault = "stall";
      for (let i = 0; i < 3; i++) {
        romeo.writesTo(juliet);
        juliet.writesTo(romeo);
      }
      const resumed = romeo.comesBack();
      network.fault = "reset";
      network.fault = undefined;
      juliet.writesTo(romeo);
      assert.equal(await resumed, "resumed");
      romeo.writesTo(juliet);
      juliet.writesTo(romeo);
      await hasAll(romeo, juliet);
      await hasAll(juliet, romeo);
    }
    assert.equal(manager.manager.sessions, 2);
  },
);

resuming(
  "U-026 W-031 U-023 @xmpp/client resumes when its server was out of reach for a moment, which ends its session",
  async (server) => {
    await using way = await FaultyRelay.to(server.port);
    await using manager = await manage(way.port);
    await using nearby = await manage(server.port);
    await using romeo = await Person.romeo(portOf(manager.url));
    await using juliet = await Person.juliet(portOf(nearby.url));
    romeo.writesTo(juliet);
    juliet.writesTo(romeo);
    await hasAll(romeo, juliet);
    await hasAll(juliet, romeo);

    const resumed = romeo.comesBack();
    way.fault = "reset";
    way.fault = undefined;
    juliet.writesTo(romeo);
    assert.equal(await resumed, "resumed");
    romeo.writesTo(juliet);
    await hasAll(romeo, juliet);
    await hasAll(juliet, romeo);
    const ends = manager.events.flatMap((event) =>
      event.type === "session-ended" ? [event.condition] : []
    );
    assert.deepEqual(ends, ["remote-connection-failed"]);
  },
);

resuming(
  "W-033 B-122 @xmpp/client comes back with a new stream when the connection manager is started anew",
  async (server) => {
    const first = await manage(server.port);
    const port = portOf(first.url);
    await using nearby = await manage(server.port);
    await using romeo = await Person.romeo(port);
    await using juliet = await Person.juliet(portOf(nearby.url));
    const back = romeo.comesBack();
    await first[Symbol.asyncDispose]();
    await using second = await manage(server.port, port);
    // The shutdown has closed the stream in good order, so there is nothing to resume.
    assert.equal(await back, "online");
    romeo.writesTo(juliet);
    juliet.writesTo(romeo);
    await hasAll(romeo, juliet);
    await hasAll(juliet, romeo);
    assert.equal(second.manager.sessions, 1);
  },
);

/** Somebody who counts what was written. */
class Person implements AsyncDisposable {
  readonly #client: XmppClient;
  readonly #wrote = new Map<Person, string[]>();
  readonly #leave: () => Promise<void>;
  #comesBack: ((how: "resumed" | "online") => void) | undefined;

  private constructor(client: XmppClient, leave = () => client.logOut()) {
    this.#client = client;
    this.#leave = leave;
  }

  /** With @xmpp/client. */
  static async romeo(port: number): Promise<Person> {
    const service = `ws://127.0.0.1:${port}/xmpp-websocket`;
    const client = await logIn(service, credentialsOf("romeo"), { reconnects: true });
    const { library } = client;
    library.reconnect.delay = 50;
    const person = new Person(client, () => {
      library.reconnect.stop();
      return client.logOut();
    });
    library.streamManagement.on("resumed", () => person.#comesBack?.("resumed"));
    // It is online before that, and would not count what it is sent together with that.
    library.on("nonza", (element) => {
      if (!element.is("enabled", "urn:xmpp:sm:3")) return;
      client.show("back");
      person.#comesBack?.("online");
    });
    return person;
  }

  /** With a client whose connection stays. */
  static async juliet(port: number): Promise<Person> {
    return new Person(await logInLikeJsjac(`http://127.0.0.1:${port}`, credentialsOf("juliet")));
  }

  writesTo(other: Person): void {
    const texts = this.#wrote.getOrInsertComputed(other, () => []);
    const body = `number ${texts.length + 1} of ${this.#client.jid}`;
    texts.push(body);
    this.#client.send(other.#client.jid, { id: crypto.randomUUID(), body });
  }

  /** All that the other one has written to it since this was asked last, in that order. */
  async reads(other: Person): Promise<{ readonly wrote: string[]; readonly read: string[] }> {
    const wrote = other.#wrote.get(this) ?? [];
    const read: string[] = [];
    while (read.length < wrote.length) {
      const { from, body } = await this.#client.receive();
      // The server may have kept what somebody of an earlier test did not acknowledge.
      if (from === other.#client.jid) read.push(body);
    }
    return { wrote: wrote.splice(0), read };
  }

  /** How it does, once it has. */
  comesBack(): Promise<"resumed" | "online"> {
    const how = new Promise<"resumed" | "online">((resolve) => this.#comesBack = resolve);
    return patiently(how, "it has come back");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave();
  }
}

function credentialsOf(user: "romeo" | "juliet") {
  return { user, password: ACCOUNTS[user]!, resource: crypto.randomUUID().slice(0, 8) };
}

async function hasAll(writer: Person, reader: Person): Promise<void> {
  const { wrote, read } = await reader.reads(writer);
  assert.deepEqual(read, wrote);
}

function resuming(name: string, run: (server: XmppServer) => Promise<void>): void {
  for (const kind of RESUMING) {
    const fn = async () => {
      let server = started.get(kind);
      if (server === undefined) started.set(kind, server = kind.start());
      await run(await server);
    };
    const careless = { sanitizeOps: false, sanitizeResources: false };
    onBothFronts({
      name: `${name}, at ${kind.name}`,
      ...haveProgram(...kind.programs),
      ...careless,
      fn,
    });
  }
}

function manage(server: number, port = 0): Promise<RunningManager> {
  return runManager({
    port,
    toml: `
      [upstream]
      ca = "${authorityFile}"
      [domains."example.test"]
      connect = "xmpp://127.0.0.1:${server}"
    `,
  });
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
