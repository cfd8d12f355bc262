import assert from "node:assert/strict";
import dgram from "node:dgram";
import { BoshClient, type BoshResponse, stayUnanswered } from "../support/bosh_client.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import {
  MECHANISMS,
  ScriptedServer,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { CREATION, gather, idsOf, message, nextHeader, Stage, type StageOptions } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

const SECURED = `tls = "required"\nca = "${authorityFile}"`;

onBothFronts(
  "B-116 B-117 B-124 every end has a condition that there is, with status 200, and all open requests are told",
  async () => {
    await using stage = await Stage.set();
    for (
      const [attributes, condition] of [
        ["rid+9", "item-not-found"],
        ["pause='10000'", "policy-violation"],
        ["pause='x'", "bad-request"],
      ] as const
    ) {
      const { client, upstream } = await stage.open();
      const held = client.send("", message(1));
      await upstream.expect("</message>");
      const behindGap = client.send("", "", { rid: client.rid + 2 });
      await stayUnanswered(behindGap);
      const offender = attributes === "rid+9"
        ? client.send("", "", { rid: client.rid + 9 })
        : client.send(attributes, "", { rid: client.rid - 1 });
      // That names and status are right, the client checks of all answers.
      assert.equal((await offender.answer).condition, condition);
      assert.equal((await held.answer).type, "terminate");
      assert.equal((await behindGap.answer).type, "terminate");
    }
  },
);

onBothFronts(
  "B-118 a client without ver gets three of the conditions as HTTP errors, the others as they are",
  async () => {
    await using stage = await Stage.set();
    const legacy = "to='example.test' wait='10' hold='1'";
    for (
      const [attributes, rids, status] of [
        ["", 9, 404],
        ["pause='10000'", 1, 403],
        ["pause='x'", 1, 400],
      ] as const
    ) {
      const { client } = await stage.open(legacy);
      const { http, type } = await client.ask(attributes, "", { rid: client.rid + rids });
      assert.deepEqual([http.status, type], [status, "terminate"]);
    }
    const keyed = await stage.open(`${legacy} newkey='${"0".repeat(40)}'`);
    assert.equal((await keyed.client.ask("key='wrong'")).http.status, 404);
    const lost = await stage.open(legacy);
    const held = lost.client.send("", message(1));
    await lost.upstream.expect("</message>");
    lost.upstream.reset();
    assert.equal((await held.answer).condition, "remote-connection-failed");
    assert.equal((await held.answer).http.status, 200);
    const unknown = stage.client();
    assert.equal((await unknown.ask()).http.status, 200);
  },
);

onBothFronts(
  "B-119 B-033 a server that cannot be reached, or not in safety, is remote-connection-failed with a reason",
  async () => {
    const dead = await ScriptedServer.listen();
    await dead[Symbol.asyncDispose]();
    const silent = dgram.createSocket("udp4");
    await new Promise<void>((resolve) => silent.bind(0, "127.0.0.1", resolve));
    /** What the server does once it is connected to. */
    type Behaviour = (stage: Stage) => Promise<unknown>;
    const cases: [string, StageOptions, Behaviour][] = [
      ["no answer from DNS", {
        domain: "",
        more:
          `[domains."other.test"]\nconnect_timeout = 1\nnameserver = "127.0.0.1:${silent.address().port}"`,
      }, () => Promise.resolve()],
      ["refused", {
        more: `[domains."other.test"]\nconnect = "xmpp://127.0.0.1:${dead.port}"\ntls = "never"`,
      }, () => Promise.resolve()],
      [
        "silent",
        { domain: 'tls = "never"\nconnect_timeout = 1' },
        (stage) => stage.server.accept(),
      ],
      ["closed at once", {}, async (stage) => (await stage.server.accept()).end()],
      [
        "no XMPP",
        {},
        async (stage) => (await stage.server.accept()).write("HTTP/1.1 400 Bad\r\n\r\n"),
      ],
      [
        "no features",
        { domain: 'tls = "never"\nconnect_timeout = 1' },
        async (stage) => (await stage.server.accept()).write(streamHeader("1")),
      ],
      ["no TLS where it must be", { domain: SECURED }, (stage) => stage.welcome()],
      ["TLS refused", { domain: SECURED }, async (stage) => {
        const upstream = await stage.welcome(STARTTLS);
        await upstream.expect("<starttls");
        upstream.write("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
      }],
      ...(["other.test", "expired", "unknown"] as const).map((certificate) =>
        [
          `the certificate ${certificate}`,
          { domain: SECURED, certificate },
          async (stage: Stage) => {
            const upstream = await stage.welcome(STARTTLS);
            await upstream.startTls().catch(() => {});
          },
        ] as [string, StageOptions, Behaviour]
      ),
    ];
    await Promise.all(cases.map(async ([name, options, behave]) => {
      await using stage = await Stage.set(options);
      const to = options.more ? "other.test" : "example.test";
      const creating = stage.client().create(CREATION.replace("example.test", to));
      await behave(stage);
      const { type, condition, get } = await creating;
      assert.deepEqual([type, condition], ["terminate", "remote-connection-failed"], name);
      assert.ok((get("message") ?? "").length > 20, name);
    }));
    silent.close();
  },
);

onBothFronts(
  "B-119 a connection that is lost later is told on the held request, or on the next one",
  async () => {
    await using stage = await Stage.set();
    for (const lose of ["reset", "end"] as const) {
      for (const isHeld of [true, false]) {
        const { client, upstream } = await stage.open();
        let request = client.send("", message(1));
        await upstream.expect("</message>");
        if (!isHeld) {
          upstream.write(message(2));
          await request.answer;
        }
        upstream[lose]();
        if (!isHeld) {
          await upstream.expectEnd();
          request = client.send();
        }
        assert.equal((await request.answer).condition, "remote-connection-failed");
      }
    }
  },
);

onBothFronts(
  "B-120 U-013 U-014 as in Punjab's suite: a server whose XML is broken is told, and the client loses its connection",
  async () => {
    await using stage = await Stage.set();
    for (
      const [xml, error] of [
        ["<a></b>", "not-well-formed"],
        ["<a:b/>", "not-well-formed"],
        ["<a>\u0001</a>", "not-well-formed"],
        ["<!-- x -->", "restricted-xml"],
        ["<?x y?>", "restricted-xml"],
        ["<!DOCTYPE x>", "restricted-xml"],
      ] as const
    ) {
      const { client, upstream } = await stage.open();
      const held = client.send("", message(1));
      await upstream.expect("</message>");
      upstream.write(message("before") + xml);
      assert.match(await upstream.expect("</stream:stream>"), new RegExp(`<${error} xmlns=`), xml);
      const answers = [await held.answer];
      if (answers[0]!.type === undefined) answers.push(await client.ask());
      assert.equal(answers.at(-1)!.condition, "remote-connection-failed", xml);
      assert.deepEqual(idsOf(...answers), ["before"]);
    }
  },
);

onBothFronts(
  "B-122 SIGTERM: held requests are told, queued stanzas delivered, streams closed, and the process ends well",
  async () => {
    await using server = await ScriptedServer.listen();
    const file = await Deno.makeTempFile({ suffix: ".toml" });
    await Deno.writeTextFile(
      file,
      `[[listen]]\nport = 0\n[domains."example.test"]\n` +
        `connect = "xmpp://127.0.0.1:${server.port}"\ntls = "never"\n`,
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-P", "main.ts", "serve", "--config", file],
      cwd: new URL("../..", import.meta.url),
      stdout: "piped",
      stderr: "null",
      env: { NO_COLOR: "1" },
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value: ready = "" } = await output.read();
    const url = /http:\S+/.exec(ready)?.[0] ?? assert.fail(`not the ready line: ${ready}`);
    const clients: BoshClient[] = [];
    const ends: Promise<BoshResponse>[] = [];
    const streams: Promise<string>[] = [];
    for (let i = 0; i < 3; i++) {
      const client = new BoshClient(`${url}/http-bind`);
      clients.push(client);
      const creating = client.create(CREATION);
      const upstream = await server.accept();
      await nextHeader(upstream);
      upstream.write(streamHeader("1") + streamFeatures());
      await creating;
      ends.push(client.ask("", message(i)));
      await upstream.expect("</message>");
      streams.push(
        upstream.expect("</stream:stream>").then((last) => {
          upstream.write("</stream:stream>");
          upstream.end();
          return last;
        }),
      );
    }
    child.kill("SIGTERM");
    for (const { type, condition } of await Promise.all(ends)) {
      assert.deepEqual([type, condition], ["terminate", "system-shutdown"]);
    }
    for (const last of await Promise.all(streams)) assert.equal(last, "</stream:stream>");
    assert.equal((await child.status).code, 0);
    await output.cancel();
    for (const client of clients) client.close();
    await Deno.remove(file);
  },
);

onBothFronts(
  "B-122 B-033 while it goes down, new sessions are refused with system-shutdown, never with host-unknown",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const held = client.send("", message(1));
    await upstream.expect("</message>");
    await stage.running.manager.shutdown();
    assert.equal((await held.answer).condition, "system-shutdown");
    assert.equal((await stage.client().create(CREATION)).condition, "system-shutdown");
  },
);

onBothFronts(
  "B-123 at the limit of sessions new ones are refused, and the others do not notice",
  async () => {
    await using stage = await Stage.set({ limits: "sessions = 1" });
    const { client, upstream } = await stage.open();
    const refused = await stage.client().create(CREATION);
    assert.equal(refused.condition, "internal-server-error");
    const held = client.send();
    upstream.write(message(1));
    assert.deepEqual(idsOf(await held.answer), ["1"]);
    await client.ask("type='terminate'");
    await stage.open();
  },
);

onBothFronts(
  "B-126 a failed login and stanza errors are payloads like others, and another login follows",
  async () => {
    await using stage = await Stage.set();
    const { client, upstream } = await stage.open();
    const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
    for (const answer of ["failure", "success"]) {
      const login = client.send("", `<auth xmlns='${SASL}' mechanism='PLAIN'>AA==</auth>`);
      await upstream.expect("</auth>");
      upstream.write(`<${answer} xmlns='${SASL}'/>`);
      const { type, payloads } = await login.answer;
      assert.deepEqual([type, payloads[0]?.name], [undefined, answer]);
    }
    const refused = client.send("", "<iq type='get' id='1'/>");
    upstream.write("<iq type='error' id='1'><error type='cancel'/></iq>");
    const [{ type, payloads } = assert.fail()] = await gather(client, 1, [refused]);
    assert.deepEqual([type, payloads[0]?.name], [undefined, "iq"]);
    assert.match(MECHANISMS, /PLAIN/);
  },
);
