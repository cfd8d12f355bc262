import assert from "node:assert/strict";
import { getIntrospectionQuery } from "graphql";
import { AdminStage } from "../support/admin_stage.ts";
import { onBothFronts, onFront } from "../support/fronts.ts";

onBothFronts("GraphQL answers and does what REST does", async () => {
  await using admin = await AdminStage.set();
  const { client } = await admin.stage.open();
  const session = client.sid.slice(0, 8);
  const { data, errors } = await admin.graphql(
    `query ($session: String!) {
      checkAuth { status }
      session {
        listSessions(domain: "example.test", transport: bosh, limit: 5) { session state queued { up down } }
        countSessions
        getSession(session: $session) { session domain wait backedUp }
      }
      stat { globalStats { uptimeSeconds onlineUsers sessions boshSessions } domainStats(domain: "example.test") { sessions } }
      metric { getMetrics { name } getMetricsAsDicts(name: ["nothing"]) { name dict { key value } } }
      server { status { statusCode message } getLoglevel getConfig }
    }`,
    { session },
  );
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.deepEqual(data.checkAuth, { status: "AUTHORIZED" });
  assert.deepEqual(data.session, {
    listSessions: [{ session, state: "open", queued: { up: 0, down: 0 } }],
    countSessions: 1,
    getSession: { session, domain: "example.test", wait: 10, backedUp: false },
  });
  assert.deepEqual([data.stat.globalStats.boshSessions, data.stat.domainStats.sessions], [1, 1]);
  assert.deepEqual(data.metric.getMetricsAsDicts, []);
  assert.equal(data.server.status.statusCode, "RUNNING");
  assert.equal(data.server.getLoglevel, "INFO");
  assert.equal(data.server.getConfig.admin.password_file, "[redacted]");

  const done = await admin.graphql(
    `mutation { server { setLoglevel(level: WARNING) drain reload { applied mistakes } }
      session { kickSession(session: "${session}", reason: "enough") { kicked message code }
        other: kickSession(session: "not-there") { kicked code } } }`,
  );
  assert.deepEqual(done, {
    data: {
      server: {
        setLoglevel: "the log level is warn",
        drain: "draining",
        reload: { applied: ["limits.sessions"], mistakes: [] },
      },
      session: {
        kickSession: { kicked: true, message: "enough", code: null },
        other: { kicked: false, code: "no_session" },
      },
    },
  });
  assert.deepEqual([admin.controls.logLevel, admin.controls.state], ["warn", "draining"]);
  assert.deepEqual(admin.stage.running.events.filter(({ type }) => type === "fault"), []);
});

onFront(
  "deno",
  "a category that is not allowed answers with the key that would allow it, and does nothing",
  async () => {
    await using admin = await AdminStage.set({ admin: 'allowed_categories = ["stat"]' });
    for (
      const query of [
        "{ session { countSessions } }",
        "{ metric { getMetrics { name } } }",
        "{ server { getLoglevel } }",
        "mutation { server { drain } }",
        'mutation { session { kickSession(session: "x") { kicked } } }',
      ]
    ) {
      const { data, errors } = await admin.graphql(query);
      assert.match(errors[0].message, /admin\.allowed_categories/, query);
      assert.deepEqual(Object.values(data), [null]);
    }
    assert.equal(admin.controls.state, "serving");
    const { data } = await admin.graphql("{ stat { globalStats { sessions } } }");
    assert.deepEqual(data, { stat: { globalStats: { sessions: 0 } } });
  },
);

onFront(
  "deno",
  "S-007 a GraphQL request is as deep and as large as the schema is good for, and tools may look at that",
  async () => {
    await using admin = await AdminStage.set();
    const { data, errors } = await admin.graphql(getIntrospectionQuery());
    assert.equal(errors, undefined, JSON.stringify(errors));
    assert.ok(data.__schema.types.length > 20);
    const field = "f: ofType { name ";
    const deep = `{ __type(name: "Query") { ${field.repeat(20)} ${"}".repeat(20)} } }`;
    const many = `{ session { ${
      Array.from({ length: 21 }, (_, at) => `a${at}: countSessions`).join(" ")
    } } }`;
    const wide = `{ session { listSessions { ${
      Array.from({ length: 501 }, (_, at) => `a${at}: age`).join(" ")
    } } } }`;
    const fragments = `{ session { listSessions { ...a } } } ${
      [..."abcdefgh"].map((name, at, all) =>
        `fragment ${name} on Session { ${at === 7 ? "age" : `...${all[at + 1]} `.repeat(9)} }`
      ).join(" ")
    }`;
    const circle = "{ session { listSessions { ...a } } } fragment a on Session { age ...a }";
    for (const query of [deep, many, wide, fragments, circle]) {
      const { data, errors } = await admin.graphql(query);
      assert.equal(data, undefined);
      assert.match(
        errors[0].message,
        /may lie|may ask|Cannot spread fragment|token/,
        query.slice(0, 60),
      );
    }
    const { errors: late } = await admin.graphql(
      "{ session { listSessions(limit: 5000) { age } } }",
    );
    assert.match(late[0].message, /limit must be <=1000/);
  },
);

onFront("deno", "a GET can ask by GraphQL, and change nothing", async () => {
  await using admin = await AdminStage.set();
  const url = `${admin.stage.running.url}/admin/graphql?query=`;
  const asked = await admin.ask(url + encodeURIComponent("{ checkAuth { status } }"));
  assert.equal((await asked.json()).data.checkAuth.status, "AUTHORIZED");
  const done = await admin.ask(url + encodeURIComponent("mutation { server { drain } }"));
  assert.equal(done.status, 405);
  await done.body!.cancel();
  assert.equal(admin.controls.state, "serving");
});
