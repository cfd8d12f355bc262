import assert from "node:assert/strict";
import { bodyOf, type BoshResponse, HttpConnection, readResponse } from "../support/bosh_client.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import { MECHANISMS, STARTTLS, streamFeatures, streamHeader } from "../support/upstream_server.ts";
import { CREATION, gather, idsOf, message, nextHeader, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const SECURED = `tls = "required"\nca = "${authorityFile}"`;

onBothFronts(
  "B-030 a rid is a whole number from 1 to 2^53 - 1, or there is no session",
  async () => {
    await using stage = await Stage.set();
    for (
      const rid of [
        "",
        "rid=''",
        "rid='0'",
        "rid='-1'",
        "rid='+1'",
        "rid='1.5'",
        "rid='0x10'",
        "rid='1e3'",
        "rid='a'",
        "rid='9007199254740992'",
        "rid='99999999999999999999'",
      ]
    ) {
      assert.equal((await create(stage, `${rid} ${CREATION}`)).condition, "bad-request", rid);
    }
    assert.equal(stage.server.accepted, 0);
    stage.welcomeAll();
    for (const rid of ["1", "9007199254740991"]) {
      assert.ok((await create(stage, `rid='${rid}' ${CREATION}`)).get("sid"), rid);
    }
  },
);

onBothFronts(
  "B-031 B-047 rid and to are enough, and have defaults for everything else",
  async () => {
    await using stage = await Stage.set({ bosh: "max_wait = 3" });
    stage.welcomeAll();
    const creation = await create(stage, "rid='1' to='example.test'");
    assert.ok(creation.get("sid"));
    assert.equal(creation.get("wait"), "3");
    assert.equal(creation.get("hold"), "1");
    assert.equal(creation.get("requests"), "2");
    assert.equal(creation.payloads[0]?.name, "features");
  },
);

onBothFronts(
  "B-032 B-033 B-034 B-042 who names no domain, none that is served, or no domain at all, gets no session",
  async () => {
    await using stage = await Stage.set();
    for (
      const [to, condition] of [
        ["", "improper-addressing"],
        ["to=''", "improper-addressing"],
        ["to='a@example.test'", "improper-addressing"],
        ["to='example.test/x'", "improper-addressing"],
        ["to='unknown.test'", "host-unknown"],
        ["to='sub.example.test'", "host-unknown"],
      ] as const
    ) {
      const { type, condition: actual, get } = await create(stage, `rid='1' ver='1.6' ${to}`);
      assert.deepEqual([type, actual, get("sid")], ["terminate", condition, undefined], to);
    }
    const storm = await create(stage, "rid='5' ver='1.6'", "<iq type='get' id='1'/>");
    assert.equal(storm.condition, "improper-addressing");
    assert.equal(stage.server.accepted, 0);
    stage.welcomeAll();
    assert.ok((await create(stage, "rid='1' ver='1.6' to='EXAMPLE.Test'")).get("sid"));
  },
);

onBothFronts("B-036 B-035 wait and hold are whole numbers, ver two of them", async () => {
  await using stage = await Stage.set();
  for (const name of ["wait", "hold"]) {
    for (const value of ["-1", "1.5", "abc", ""]) {
      const { condition } = await create(
        stage,
        `rid='1' to='example.test' ver='1.6' ${name}='${value}'`,
      );
      assert.equal(condition, "bad-request", `${name}='${value}'`);
    }
  }
  for (const ver of ["1", "1.x", "", "one"]) {
    const { condition } = await create(stage, `rid='1' to='example.test' ver='${ver}'`);
    assert.equal(condition, "bad-request", ver);
  }
  assert.equal(stage.server.accepted, 0);
});

onBothFronts(
  "B-037 a route is ignored unless it is allowed; then it leads where it says, or nowhere",
  async () => {
    const ignoring = await Stage.set();
    await using decoy = await Stage.set();
    const route = `route='xmpp:127.0.0.1:${decoy.server.port}'`;
    ignoring.welcomeAll();
    assert.ok((await create(ignoring, `rid='1' ${CREATION} ${route}`)).get("sid"));
    assert.ok((await create(ignoring, `rid='1' ${CREATION} route='nonsense'`)).get("sid"));
    assert.equal(decoy.server.accepted, 0);
    await ignoring[Symbol.asyncDispose]();

    await using stage = await Stage.set({
      domain: `tls = "never"\nallow_route = ["127.0.0.1:${decoy.server.port}"]`,
    });
    const creating = create(stage, `rid='1' ${CREATION} ${route}`);
    await decoy.welcome();
    assert.ok((await creating).get("sid"));
    for (
      const [route, condition] of [
        ["xmpp:127.0.0.1:1", "host-unknown"],
        [`xmpp:localhost:${decoy.server.port}`, "host-unknown"],
        [`https:127.0.0.1:${decoy.server.port}`, "bad-request"],
        ["127.0.0.1", "bad-request"],
        ["xmpp:127.0.0.1:99999", "bad-request"],
      ] as const
    ) {
      const answer = await create(stage, `rid='1' ${CREATION} route='${route}'`);
      assert.equal(answer.condition, condition, route);
    }
    assert.equal(stage.server.accepted, 0);
    assert.equal(decoy.server.accepted, 1);
  },
);

onBothFronts(
  "B-038 B-039 U-006 from is told to the server once the stream is encrypted; the language always",
  async () => {
    await using stage = await Stage.set({ domain: SECURED, certificate: "example.test" });
    const creating = create(
      stage,
      "rid='1' to='example.test' from='user@example.test' xml:lang='de' ver='1.6'",
    );
    const upstream = await stage.server.accept();
    const first = await nextHeader(upstream);
    assert.match(first, / xml:lang='de'/);
    assert.doesNotMatch(first, / from=/);
    upstream.write(streamHeader("before") + streamFeatures(STARTTLS + "<before xmlns='urn:x'/>"));
    await upstream.startTls();
    const second = await nextHeader(upstream);
    assert.match(second, / from='user@example.test'/);
    assert.match(second, / xml:lang='de'/);
    upstream.write(streamHeader("after") + streamFeatures(MECHANISMS));
    const creation = await creating;
    assert.equal(creation.get("authid"), "after");
    assert.deepEqual(namesInFeatures(creation), ["mechanisms"]);
  },
);

onBothFronts("B-040 B-070 only ack='1' asks for acknowledgements", async () => {
  await using stage = await Stage.set();
  for (const ack of ["", "ack='0'", "ack='yes'", "ack=''"]) {
    const { client, creation } = await stage.open(`${CREATION} ${ack}`);
    const held = client.send();
    client.send();
    assert.equal(creation.get("ack"), undefined);
    assert.equal((await held.answer).get("ack"), undefined);
  }
});

onBothFronts("B-041 a sid that nobody gave out makes no session", async () => {
  await using stage = await Stage.set();
  for (const sid of ["unknown", ""]) {
    const { condition } = await create(stage, `rid='1' sid='${sid}' ${CREATION}`);
    assert.equal(condition, "item-not-found");
  }
  assert.equal(stage.server.accepted, 0);
});

onBothFronts(
  "B-043 X-019 payloads of the creation request wait for TLS, and their answer may come with the features",
  async () => {
    await using stage = await Stage.set({ domain: SECURED, certificate: "example.test" });
    const client = stage.client();
    const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
    const creating = client.create(CREATION, auth);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    upstream.write(streamHeader("1") + streamFeatures(STARTTLS));
    await upstream.startTls();
    assert.doesNotMatch(upstream.received, /<auth/);
    await nextHeader(upstream);
    upstream.write(streamHeader("2") + streamFeatures(MECHANISMS));
    await upstream.expect(auth);
    upstream.write("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    const creation = await creating;
    const answers = [creation, ...await gather(client, 2 - creation.payloads.length)];
    const names = answers.flatMap(({ payloads }) => payloads.map(({ name }) => name));
    assert.deepEqual(names, ["features", "success"]);
  },
);

onBothFronts(
  "B-044 the same creation request twice makes two sessions, of which the orphan dies",
  async () => {
    await using stage = await Stage.set({ bosh: "inactivity = 1\npolling = 0" });
    const creating = create(stage, `rid='7' ${CREATION}`);
    const orphan = await stage.welcome();
    const first = await creating;
    const client = stage.client({ rid: 7 });
    const again = client.create(CREATION);
    const upstream = await stage.welcome();
    assert.notEqual((await again).get("sid"), first.get("sid"));
    const held = client.send();
    await orphan.expectEnd();
    upstream.write(message(1));
    assert.deepEqual(idsOf(await held.answer), ["1"]);
  },
);

onBothFronts(
  "B-045 secure='true' wants an upstream that is encrypted or trusted; 'false' wants nothing",
  async () => {
    await using stage = await Stage.set({ domain: 'tls = "optional"' });
    for (const secure of ["true", "1"]) {
      const creating = create(stage, `rid='1' ${CREATION} secure='${secure}'`);
      await stage.welcome();
      assert.equal((await creating).condition, "remote-connection-failed");
    }
    const without = create(stage, `rid='1' ${CREATION} secure='false'`);
    await stage.welcome();
    assert.ok((await without).get("sid"));
    await using trusted = await Stage.set();
    const creating = create(trusted, `rid='1' ${CREATION} secure='true'`);
    await trusted.welcome();
    assert.ok((await creating).get("sid"));
  },
);

onBothFronts(
  "B-046 B-054 sids are long and have nothing in common; with wait='0' they come at once",
  async () => {
    await using stage = await Stage.set();
    const sids = new Set<string>();
    for (let i = 0; i < 200; i++) {
      // The server says nothing: an answer that waited for features would take its time.
      sids.add((await create(stage, "rid='1' to='example.test' wait='0' ver='1.6'")).get("sid")!);
    }
    assert.equal(sids.size, 200);
    for (const sid of sids) assert.match(sid, /^[A-Za-z0-9._~-]{22,}$/);
    for (let at = 0; at < 20; at++) {
      assert.ok(new Set([...sids].map((sid) => sid[at])).size > 16, `character ${at} varies`);
    }
  },
);

onBothFronts(
  "B-047 B-048 B-091 wait, hold and requests are granted within what was asked and what is allowed",
  async () => {
    await using stage = await Stage.set({ bosh: "max_wait = 30\nmax_hold = 2" });
    stage.welcomeAll();
    for (
      const [wait, hold, granted] of [
        [1, 1, "1 1 2"],
        [30, 0, "30 0 2"],
        [600, 2, "30 2 3"],
        [5, 200, "5 2 3"],
        [0, 1, "0 1 2"],
      ] as const
    ) {
      const { get } = await create(
        stage,
        `rid='1' to='example.test' ver='1.6' wait='${wait}' hold='${hold}'`,
      );
      assert.equal(`${get("wait")} ${get("hold")} ${get("requests")}`, granted);
    }
  },
);

onBothFronts("B-035 B-049 ver is the lower of both, compared as two numbers", async () => {
  await using stage = await Stage.set();
  stage.welcomeAll();
  for (
    const [theirs, answer] of [
      ["1.6", "1.6"],
      ["1.9", "1.9"],
      ["1.10", "1.10"],
      ["1.11", "1.11"],
      ["1.12", "1.11"],
      ["2.0", "1.11"],
    ]
  ) {
    const { get } = await create(stage, `rid='1' to='example.test' ver='${theirs}'`);
    assert.equal(get("ver"), answer);
  }
});

onBothFronts(
  "B-050 B-055 polling, inactivity and maxpause are told in seconds; who polls may be silent longer",
  async () => {
    await using stage = await Stage.set({ bosh: "max_pause = 15" });
    stage.welcomeAll();
    const usual = await create(stage, `rid='1' ${CREATION}`);
    const polling = await create(stage, "rid='1' to='example.test' ver='1.6' hold='0'");
    for (const { get } of [usual, polling]) {
      for (const name of ["polling", "inactivity", "maxpause"]) assert.match(get(name)!, /^\d+$/);
    }
    assert.equal(usual.get("maxpause"), "15");
    const longer = Number(polling.get("inactivity")) - Number(usual.get("inactivity"));
    assert.ok(longer > Number(polling.get("polling")));
    await using pauseless = await Stage.set({ bosh: "max_pause = 0" });
    pauseless.welcomeAll();
    assert.equal((await create(pauseless, `rid='1' ${CREATION}`)).get("maxpause"), undefined);
  },
);

onBothFronts(
  "B-051 B-053 X-011 a server that is slow: the session comes without features, and they come later, once, with from",
  async () => {
    await using stage = await Stage.set({ bosh: "max_wait = 1" });
    const client = stage.client();
    const creating = client.create(CREATION);
    const upstream = await stage.server.accept();
    await nextHeader(upstream);
    const creation = await creating;
    assert.ok(creation.get("sid"));
    assert.deepEqual(
      [creation.payloads.length, creation.get("from"), creation.get("xmpp:version")],
      [0, undefined, undefined],
    );
    const polls = [await client.ask()];
    const waiting = client.send();
    upstream.write(streamHeader("1") + streamFeatures(MECHANISMS));
    polls.push(await waiting.answer);
    const after = client.send();
    upstream.write(message(1));
    polls.push(await after.answer);
    assert.deepEqual(polls.map(({ payloads }) => payloads.map(({ name }) => name)), [
      [],
      ["features"],
      ["message"],
    ]);
    assert.deepEqual(polls.map(({ get }) => get("from")), [undefined, "example.test", undefined]);
    assert.deepEqual(polls.map(({ get }) => get("xmpp:version")), [undefined, "1.0", undefined]);
  },
);

onBothFronts("B-053 the creation response waits for the features", async () => {
  await using stage = await Stage.set();
  const creating = create(stage, `rid='1' ${CREATION}`);
  const upstream = await stage.server.accept();
  await nextHeader(upstream);
  upstream.write(streamHeader("1"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  upstream.write(streamFeatures(MECHANISMS));
  assert.deepEqual(namesInFeatures(await creating), ["mechanisms"]);
});

onBothFronts("B-029 B-052 what belongs to the creation response is in no later one", async () => {
  await using stage = await Stage.set();
  const { client, upstream, creation } = await stage.open();
  for (
    const name of ["sid", "wait", "requests", "ver", "polling", "inactivity", "hold", "maxpause"]
  ) {
    assert.ok(creation.get(name), name);
  }
  // The client checks the others: of every later answer, here and everywhere.
  const waiting = client.send();
  upstream.write(message(1));
  await waiting.answer;
  const restarting = client.send("xmpp:restart='true'");
  await nextHeader(upstream);
  upstream.write(streamHeader("2") + streamFeatures());
  await restarting.answer;
  await client.ask("pause='5'");
  await client.ask("type='terminate'");
  await client.ask();
});

async function create(stage: Stage, attributes: string, content = ""): Promise<BoshResponse> {
  const connection = new HttpConnection(stage.url);
  try {
    return readResponse(await connection.send({ body: bodyOf(attributes, content) }));
  } finally {
    connection.abort();
  }
}

function namesInFeatures({ payloads }: BoshResponse): string[] {
  assert.equal(payloads[0]?.name, "features");
  return payloads[0].children.map((child) => typeof child === "object" ? child.name : child);
}
