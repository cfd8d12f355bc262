import assert from "node:assert/strict";
import { Notes } from "../../src/admin/notes.ts";
import { SessionQuery } from "../../src/admin/schemas.ts";
import { Sessions } from "../../src/admin/sessions.ts";
import { Times } from "../../src/admin/times.ts";
import type { Actor, Registry } from "../../src/server/registry.ts";
import { parse } from "valibot";
import { TestClock } from "../support/test_clock.ts";

/** So many sessions, one a second, of which every third is a WebSocket. */
function many(count: number, clock: TestClock) {
  const actors = new Map<Actor, string>();
  for (let at = 0; at < count; at++) add(at);
  const registry = {
    get size() {
      return actors.size;
    },
    get actors() {
      return actors.keys();
    },
  } as unknown as Registry;
  return {
    actors,
    add,
    sessions: new Sessions(registry, new Notes(registry), new Times(clock, () => 0)),
  };

  function add(at: number): void {
    const transport = at % 3 === 0 ? "websocket" as const : "bosh" as const;
    const created = clock.now();
    const actor = {
      name: `s${at}`,
      transport,
      describe: () => ({
        session: `s${at}`,
        client: { address: `192.0.2.${at % 250}`, port: 0, transport },
        isTls: true,
        domain: "example.test",
        created,
        state: "open" as const,
        heard: created,
        streams: 1,
        held: 0,
        up: (at * 7919) % 1000,
        down: 1,
      }),
    } as unknown as Actor;
    actors.set(actor, "");
    clock.advance(1_000);
  }
}

Deno.test("a thousand sessions are shown page by page in every order, each of them once", async () => {
  const clock = new TestClock();
  const { sessions } = many(1_000, clock);
  for (const sort of ["age", "queued", "address"] as const) {
    for (const order of ["asc", "desc", undefined] as const) {
      const seen: { readonly session: string; readonly key: number | string }[] = [];
      let cursor: string | null | undefined;
      for (let pages = 0; cursor !== null; pages++) {
        assert.ok(pages < 20);
        const page = await sessions.list(parse(SessionQuery, {
          sort,
          limit: 77,
          ...(order && { order }),
          ...(cursor && { cursor }),
        }));
        assert.equal(page.total, 1_000);
        assert.ok(page.sessions.length === 77 || page.next === null);
        for (const { session, age, queued, address } of page.sessions) {
          seen.push({
            session,
            key: sort === "age" ? age : sort === "queued" ? queued.up : address,
          });
        }
        cursor = page.next;
      }
      assert.equal(new Set(seen.map(({ session }) => session)).size, 1_000);
      const rises = order === undefined ? sort !== "queued" : order === "asc";
      for (const [at, { key }] of seen.entries()) {
        const before = seen[at - 1]?.key ?? key;
        assert.ok(rises ? before <= key : before >= key, `${sort} ${order} ${at}`);
      }
    }
  }
});

Deno.test("who pages while sessions come and go sees each of those that stay once", async () => {
  const clock = new TestClock();
  const { actors, add, sessions } = many(300, clock);
  const stay = new Set([...actors.keys()].filter((_, at) => at % 2 === 0).map(({ name }) => name));
  const seen: string[] = [];
  let cursor: string | null | undefined;
  for (let at = 300; cursor !== null; at++) {
    const page = await sessions.list(
      parse(SessionQuery, { limit: 20, order: "desc", ...(cursor && { cursor }) }),
    );
    seen.push(...page.sessions.map(({ session }) => session));
    cursor = page.next;
    add(at);
    for (const actor of [...actors.keys()].slice(0, 40)) {
      if (!stay.has(actor.name)) actors.delete(actor);
    }
  }
  assert.equal(new Set(seen).size, seen.length);
  for (const name of stay) assert.ok(seen.includes(name), name);
});

Deno.test("a cursor is good for the order that it was made in, and made-up ones for nothing", async () => {
  const clock = new TestClock();
  const { sessions } = many(10, clock);
  const { next } = await sessions.list(parse(SessionQuery, { limit: 5 }));
  const wrong = [
    { cursor: next!, sort: "queued" },
    { cursor: next!, order: "desc" },
    { cursor: "x" },
    { cursor: btoa('["age","asc",{},"x"]') },
    { cursor: btoa('["age","asc","1","x"]') },
    { cursor: btoa("null") },
  ];
  for (const query of wrong) {
    await assert.rejects(sessions.list(parse(SessionQuery, query)), /cursor is none of this list/);
  }
});

Deno.test("thousands of sessions are gone through in turns, so that others have theirs", async () => {
  const clock = new TestClock();
  const { sessions } = many(5_000, clock);
  let turns = 0;
  const counting = sessions.count(parse(SessionQuery, {}));
  setTimeout(() => turns++);
  assert.equal(await counting, 5_000);
  assert.equal(turns, 1);
});
