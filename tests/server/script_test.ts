import assert from "node:assert/strict";
import { BIND, CREATE, HttpClient, post, sidOf, until } from "../support/bosh_http.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { onBothFronts } from "../support/fronts.ts";
import { runManager, type RunningManager } from "../support/manager.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const RESTART = "xmlns:xmpp='urn:xmpp:xbosh' xmpp:restart='true'";

/** Everything that a JavaScript string or a script element could stumble over. */
const AWKWARD = "\"double\" 'single' \\ back\nline\r\nfeed \u2028 \u2029 soft\u00adhyphen " +
  '\u200e\u202e\ufeff 😀 \u{e0001} </script><!-- &amp; \\u0041 \\\\" ü';
/** The same as XML carries it. */
const AWKWARD_XML = AWKWARD.replaceAll("<", "&lt;").replaceAll("\r", "&#xD;");

/** What a page receives that runs an answer as a script with this function in reach. */
function evaluate(script: string, callback: string): string {
  const received: unknown[] = [];
  const names = callback.split(".");
  const [outer = ""] = names;
  const called = (value: unknown) => received.push(value);
  const reach = names.slice(1).reduceRight<unknown>((inner, name) => ({ [name]: inner }), called);
  new Function(outer, script)(reach);
  assert.equal(received.length, 1, "the script calls the function once");
  const [value] = received;
  if (callback === "_BOSH_") return String(value);
  assert.deepEqual(Object.keys(value as object), ["reply"]);
  return (value as { reply: string }).reply;
}

/** A GET with such a query, spelt so. */
function get(running: RunningManager, query: string): Promise<Response> {
  return fetch(`${running.url}/http-bind?${query}`);
}

/** The three ways of a request inside a GET, and the `<body/>` out of the answer. */
const WAYS: Readonly<Record<string, (running: RunningManager, body: string) => Promise<string>>> = {
  async data(running, body) {
    const response = await get(running, `data=${encodeURIComponent(body)}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/xml; charset=utf-8");
    return await response.text();
  },
  async jsonp(running, body) {
    const response = await get(running, `data=${encodeURIComponent(body)}&callback=app.$in_1`);
    assert.equal(response.status, 200);
    const script = await response.text();
    assert.match(script, /^app\.\$in_1\(\{"reply":"[^\n\r\u2028\u2029]*"\}\);$/);
    return evaluate(script, "app.$in_1");
  },
  async script(running, body) {
    const response = await get(running, encodeURIComponent(body));
    assert.equal(response.status, 200);
    const script = await response.text();
    assert.match(script, /^_BOSH_\("[^\n\r\u2028\u2029]*"\)$/);
    return evaluate(script, "_BOSH_");
  },
};

for (const [way, ask] of Object.entries(WAYS)) {
  const id = way === "script" ? "J-002 J-004" : "J-000";
  onBothFronts(`${id} a whole login by GET (${way})`, async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const created = await ask(running, CREATE);
    assert.match(created, /^<body [^>]*xmpp:restartlogic='true'[^>]*><stream:features /);
    const client = new HttpClient(running, sidOf(created));
    const upstream = connector.last;
    upstream.onCall = (call) => {
      if (call.includes("<auth")) upstream.say(`<success ${SASL}/>`);
      if (call === "restart") {
        upstream.opened();
        upstream.say("<stream:features><bind/></stream:features>");
      }
    };
    const success = await ask(
      running,
      client.body("", `<auth ${SASL} mechanism='X'>YWI+/w==</auth>`),
    );
    assert.equal(success, `<body ${BIND}><success ${SASL}/></body>`);
    const restarted = await ask(running, client.body(RESTART));
    assert.match(restarted, /<stream:features [^>]*><bind\/><\/stream:features>/);

    const held = ask(running, client.body("", `<message><body>${AWKWARD_XML}</body></message>`));
    await until(() => upstream.log.length === 3);
    upstream.say(`<message><body>${AWKWARD_XML}</body></message>`);
    assert.equal(
      await held,
      `<body ${BIND}><message xmlns='jabber:client'><body>${AWKWARD_XML}</body></message></body>`,
    );
    assert.deepEqual(upstream.log, [
      `send <auth ${SASL} mechanism='X'>YWI+/w==</auth>`,
      "restart",
      `send <message><body>${AWKWARD_XML}</body></message>`,
    ]);
    const end = await ask(running, client.body("type='terminate'", "<presence/>"));
    assert.equal(end, `<body ${BIND} type='terminate'/>`);
    assert.deepEqual(upstream.log.slice(3), ["send <presence/>", "close"]);
  });
}

onBothFronts("J-004 no answer can break out of its script, whatever stands in it", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const client = await HttpClient.open(running);
  const held = get(running, `data=${encodeURIComponent(client.body())}&callback=f`);
  await until(() => running.manager.sessions === 1);
  connector.last.say(`<message>${AWKWARD_XML}</message>`);
  const script = await (await held).text();
  // Format characters (category Cf) are removed by some browsers, and "<" could end the element.
  assert.doesNotMatch(script, /[<\n\r\u2028\u2029\p{Cf}]/u);
  assert.match(
    evaluate(script, "f"),
    /soft\u00adhyphen \u200e\u202e\ufeff 😀 \u{e0001} &lt;\/script>/u,
  );
});

onBothFronts("J-000 GET and POST may be mixed in one session", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const client = new HttpClient(running, sidOf(await WAYS["data"]!(running, CREATE)));
  const held = client.request("", "<a/>");
  await until(() => connector.last.log.length === 1);
  const next = WAYS["jsonp"]!(running, client.body("", "<b/>"));
  assert.equal(await (await held).text(), `<body ${BIND}/>`);
  connector.last.say("<message/>");
  assert.equal(await next, `<body ${BIND}><message xmlns='jabber:client'/></body>`);
  assert.match(await WAYS["data"]!(running, client.body("type='terminate'")), /terminate/);
  assert.deepEqual(connector.last.log, ["send <a/>", "send <b/>", "close"]);
});

onBothFronts(
  "J-000 a callback that is more than the name of a function is refused, and not repeated",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    const data = `data=${encodeURIComponent(CREATE)}`;
    for (
      const callback of [
        "alert(1)",
        "a;b",
        "a.b.",
        ".a",
        "1a",
        "a[0]",
        "",
        "%3Cscript%3E",
        "a%28",
        "f\u00fc",
        "a".repeat(129),
        "while",
        "import",
        "new.target",
        "this",
      ]
    ) {
      const response = await get(running, `${data}&callback=${callback}`);
      assert.equal(response.status, 400, callback);
      assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(await response.text(), "callback must be the name of a JavaScript function\n");
    }
    for (const callback of ["f", "$", "_a1", "jQuery.callbacks.$1_", "a".repeat(128)]) {
      const response = await get(running, `callback=${callback}&${data}`);
      assert.equal(response.status, 200);
      assert.ok((await response.text()).startsWith(`${callback}({"reply":"`));
    }
    for (const query of ["data=", "data=%3", "data=%zz", "callback=f", "%3"]) {
      const response = await get(running, query);
      // What holds no request at all is a visit.
      assert.equal(response.status, query === "%3" ? 200 : 400, query);
      await response.body?.cancel();
    }
  },
);

onBothFronts(
  "J-000 terminal conditions come by GET as they do by POST, legacy statuses only in plain XML",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    const unknown = `<body ${BIND} sid='unknown' rid='2'/>`;
    for (const ask of Object.values(WAYS)) {
      assert.match(await ask(running, unknown), /^<body [^>]*condition='item-not-found'/);
      assert.match(await ask(running, "<body/>"), /^<body [^>]*condition='bad-request'/);
    }
    const legacy = async (query: (body: string) => string) => {
      const create = `<body ${BIND} rid='1' to='example.test' wait='0'/>`;
      const client = await HttpClient.open(running, create);
      client.rid += 99;
      const response = await get(running, query(encodeURIComponent(client.body())));
      assert.match(await response.text(), /item-not-found/);
      return response.status;
    };
    assert.equal(await legacy((body) => `data=${body}`), 404);
    assert.equal(await legacy((body) => `data=${body}&callback=f`), 200);
  },
);

onBothFronts(
  "J-001 J-006 off: a GET that holds a request is 404, one that does not is a visit",
  async () => {
    const connector = new FakeConnector();
    for (const toml of ["[bosh]\nscript = false", "[http]\nallowed_origins = ['https://a.test']"]) {
      await using running = await runManager({ toml, connector });
      const body = encodeURIComponent(CREATE);
      for (const query of [body, CREATE, `data=${body}`, `data=${body}&callback=f`, "callback=f"]) {
        const response = await get(running, query);
        assert.equal(response.status, 404, query);
        assert.doesNotMatch(await response.text(), /body|f\(/);
      }
      const visit = await get(running, "room=a");
      assert.equal(visit.status, 200);
      await visit.body?.cancel();
    }
    assert.equal(connector.upstreams.length, 0);
  },
);

onBothFronts(
  "J-002 a session of the script syntax goes on in it, and no other may go over to it",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const client = new HttpClient(running, sidOf(await WAYS["script"]!(running, CREATE)));
    assert.match(await (await client.request()).text(), /condition='item-not-found'/);
    client.rid--;
    assert.match(await WAYS["data"]!(running, client.body()), /condition='item-not-found'/);
    client.rid--;
    connector.last.say("<message/>");
    assert.match(
      await WAYS["script"]!(running, client.body()),
      /<message /,
      "it is not ended by that",
    );

    const other = await HttpClient.open(running);
    assert.match(await WAYS["script"]!(running, other.body()), /condition='item-not-found'/);
    other.rid--;
    connector.last.say("<message/>");
    assert.match(await (await other.request()).text(), /<message /);
  },
);

onBothFronts(
  "J-003 one stanza over several GETs, in rid order, with repeats and gaps",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const create = CREATE.replace("hold='1'", "hold='2'").replace("'/>", "'><mes</body>");
    const client = new HttpClient(running, sidOf(await WAYS["script"]!(running, create)));
    const upstream = connector.last;
    assert.deepEqual(upstream.log, []);
    const ask = WAYS["script"]!;
    const second = client.body("", "sage><body>h");
    const third = client.body("", "&#xFC;</bo");
    const fourth = client.body("", "dy></message><presence/><iq");
    const answers = [ask(running, fourth), ask(running, third)];
    await until(() => running.manager.sessions === 1);
    answers.push(ask(running, second), ask(running, second));
    await until(() => upstream.log.length > 0);
    assert.deepEqual(upstream.log, ["send <message><body>h&#xFC;</body></message><presence/>"]);
    await ask(running, client.body("type='terminate'", " type='get'/>"));
    assert.deepEqual(upstream.log.slice(1), ["send <iq type='get'/>", "close"]);
    for (const answer of await Promise.all(answers)) assert.match(answer, /^<body /);
  },
);

onBothFronts(
  "J-003 a character may be cut, and a stream that is broken ends its session",
  async () => {
    const connector = new FakeConnector();
    await using running = await runManager({ connector });
    const created = await get(running, encodeURIComponent(CREATE));
    const client = new HttpClient(running, sidOf(evaluate(await created.text(), "_BOSH_")));
    const tag = (content: string) => {
      const [start = "", end = ""] = client.body("", "|").split("|");
      return encodeURIComponent(start) + content + encodeURIComponent(end);
    };
    const first = get(running, tag("%3Ca%3E%F0%9F"));
    const second = get(running, tag("%98%80%3C/a%3E"));
    await until(() => connector.last.log.length > 0);
    assert.deepEqual(connector.last.log, ["send <a>😀</a>"]);
    const broken = evaluate(await (await get(running, tag("%3Ca%3E%3C/b%3E"))).text(), "_BOSH_");
    assert.match(broken, /^<body [^>]*condition='bad-request'/);
    assert.equal(connector.last.log.at(-1), "abort");
    for (const response of [await first, await second]) await response.body?.cancel();

    const refused = CREATE.replace("'/>", "'><a></b></body>");
    assert.match(await WAYS["script"]!(running, refused), /condition='bad-request'/);
    assert.equal(connector.upstreams.length, 1, "a creation request that is broken opens nothing");
  },
);

onBothFronts("J-003 payloads for the connection manager are answered, not forwarded", async () => {
  const connector = new FakeConnector();
  await using running = await runManager({ connector });
  const client = new HttpClient(running, sidOf(await WAYS["script"]!(running, CREATE)));
  const tls = "urn:ietf:params:xml:ns:xmpp-tls";
  const answer = await WAYS["script"]!(running, client.body("", `<a/><starttls xmlns='${tls}'/>`));
  assert.equal(answer, `<body ${BIND}><failure xmlns='${tls}'/></body>`);
  assert.deepEqual(connector.last.log, ["send <a/>"]);
});

onBothFronts(
  "J-005 S-009 scripts are typed as scripts and stored nowhere; a client may name another script type",
  async () => {
    await using running = await runManager({ connector: new FakeConnector() });
    const typed = async (query: string) => {
      const response = await get(running, query);
      await response.body?.cancel();
      for (const [name, value] of [["pragma", "no-cache"], ["x-content-type-options", "nosniff"]]) {
        assert.equal(response.headers.get(name!), value);
      }
      assert.equal(response.headers.get("cache-control"), "no-store, no-cache");
      assert.equal(response.headers.get("access-control-allow-origin"), "*");
      return response.headers.get("content-type");
    };
    const asking = (content: string) =>
      encodeURIComponent(CREATE.replace("ver=", `content='${content}' ver=`));
    const script = "text/javascript; charset=utf-8";
    assert.equal(await typed(encodeURIComponent(CREATE)), script);
    assert.equal(await typed(encodeURIComponent(`<body ${BIND} sid='x' rid='2'/>`)), script);
    assert.equal(await typed(`data=${encodeURIComponent(CREATE)}&callback=f`), script);
    const other = "application/x-javascript; charset=utf-8";
    assert.equal(await typed(asking(other)), other);
    // The XEP's own example asks for XML and is answered with a script.
    for (
      const content of ["text/xml; charset=utf-8", "text/html", "text/javascript&#13;&#10;X: y"]
    ) {
      assert.equal(await typed(asking(content)), script);
      assert.equal(await typed(`data=${asking(content)}&callback=f`), script);
    }
    const xml = await post(running, CREATE.replace("ver=", "content='text/javascript' ver="));
    assert.equal(xml.headers.get("content-type"), "text/xml; charset=utf-8");
    await xml.body?.cancel();
  },
);
