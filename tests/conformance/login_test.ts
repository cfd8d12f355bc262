import assert from "node:assert/strict";
import { stayUnanswered, STREAMS } from "../support/bosh_client.ts";
import { authorityFile } from "../support/certificates/certificates.ts";
import {
  BIND,
  MECHANISMS,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { CREATION, farewell, idsOf, message, nextHeader, Stage } from "./stage.ts";
import { onBothFronts } from "../support/fronts.ts";

onBothFronts(
  "B-052 B-060 B-061 B-092 B-093 X-001 X-013 X-014 from creation to end: STARTTLS, login, restart, bind, a message each way",
  async () => {
    await using stage = await Stage.set({
      domain: `tls = "required"\nca = "${authorityFile}"`,
      certificate: "example.test",
      bosh: "max_wait = 5\ninactivity = 4\npolling = 2\nmax_pause = 15",
    });
    const client = stage.client({ rid: 1000 });
    const creating = client.create(
      `${CREATION} content='text/xml; charset=utf-8' xmlns:unused='urn:unused'`,
    );
    const upstream = await stage.server.accept();
    const first = await nextHeader(upstream);
    assert.doesNotMatch(first, / from=/);
    upstream.write(streamHeader("clear") + streamFeatures(STARTTLS));
    const { serverName } = await upstream.startTls();
    assert.equal(serverName, "example.test");
    await nextHeader(upstream);
    upstream.write(streamHeader("secure") + streamFeatures(MECHANISMS));

    const creation = await creating;
    const granted = {
      wait: "5",
      requests: "2",
      hold: "1",
      ver: "1.6",
      polling: "2",
      inactivity: "4",
      maxpause: "15",
      from: "example.test",
      authid: "secure",
      "xmpp:version": "1.0",
      "xmpp:restartlogic": "true",
      "xmlns:stream": STREAMS,
    };
    for (const [name, value] of Object.entries(granted)) {
      assert.equal(creation.get(name), value, name);
    }
    assert.deepEqual(
      creation.payloads[0]?.children.map((child) => typeof child === "object" && child.name),
      ["mechanisms"],
    );

    const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
    const auth = client.send("", `<auth xmlns='${SASL}' mechanism='SCRAM-SHA-1'>biws</auth>`);
    await upstream.expect("</auth>");
    await stayUnanswered(auth);
    upstream.write(`<challenge xmlns='${SASL}'>cj0x</challenge>`);
    assert.equal((await auth.answer).payloads[0]?.name, "challenge");
    const response = client.send("", `<response xmlns='${SASL}'>Yz1iaXdz</response>`);
    await upstream.expect("</response>");
    upstream.write(`<success xmlns='${SASL}'/>`);
    assert.equal((await response.answer).payloads[0]?.name, "success");

    const restart = client.send("to='example.test' xml:lang='en' xmpp:restart='true'");
    assert.doesNotMatch(await nextHeader(upstream), /<\/stream:stream>/);
    upstream.write(streamHeader("bound") + streamFeatures(BIND));
    assert.equal((await restart.answer).payloads[0]?.name, "features");
    const bind = client.send("", `<iq type='set' id='bind'>${BIND}</iq>`);
    await upstream.expect("</iq>");
    upstream.write(`<iq type='result' id='bind'>${BIND}</iq>`);
    assert.deepEqual(idsOf(await bind.answer), ["bind"]);

    const poll = client.send();
    const sending = client.send("", message("up"));
    assert.equal((await poll.answer).payloads.length, 0);
    assert.equal(await upstream.expect("</message>"), message("up"));
    upstream.write(message("down"));
    assert.deepEqual(idsOf(await sending.answer), ["down"]);
    const last = client.send();
    const ending = client.send("type='terminate'", "<presence type='unavailable'/>");
    assert.equal((await last.answer).type, "terminate");
    assert.equal((await ending.answer).type, undefined);
    assert.equal(await farewell(upstream), "<presence type='unavailable'/></stream:stream>");
    assert.equal(stage.server.accepted, 1);
  },
);
