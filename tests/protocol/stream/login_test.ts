import assert from "node:assert/strict";
import { judgeLogins } from "../../../src/protocol/stream/login.ts";

const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const SASL2 = "urn:xmpp:sasl:2";
const HIDDEN = { channelBinding: false, mechanisms: ["EXTERNAL", "ANONYMOUS"] };

function judge(content: string): { readonly content: string; readonly failures: string[] } {
  const judged = judgeLogins(new TextEncoder().encode(content), HIDDEN);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    content: text(judged.content),
    failures: judged.failures.map(({ bytes }) => text(bytes)),
  };
}

Deno.test("S-012 U-030 X-022 a login by a hidden mechanism is answered, and what stands beside it is sent", () => {
  const failure = (namespace: string) =>
    `<failure xmlns='${namespace}'><invalid-mechanism xmlns='${SASL}'/></failure>`;
  for (
    const [attempt, namespace] of [
      [`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`, SASL],
      [`<auth mechanism="&#69;XTERNAL" xmlns="${SASL}"/>`, SASL],
      [`<s:auth xmlns:s='${SASL}' mechanism='ANONYMOUS'/>`, SASL],
      [`<auth xmlns='${SASL}' mechanism='EXTERNAL-PLUS'/>`, SASL],
      [`<authenticate xmlns='${SASL2}' mechanism='EXTERNAL'><x/></authenticate>`, SASL2],
    ] as const
  ) {
    assert.deepEqual(judge(attempt), { content: "", failures: [failure(namespace)] }, attempt);
    assert.deepEqual(judge(`<a/> ${attempt}<iq><b/></iq>${attempt}`), {
      content: "<a/> <iq><b/></iq>",
      failures: [failure(namespace), failure(namespace)],
    });
  }
});

Deno.test("S-012 U-030 everything else passes as it is", () => {
  for (
    const content of [
      `<auth xmlns='${SASL}' mechanism='PLAIN'>x</auth>`,
      `<auth xmlns='${SASL}' mechanism='X-EXTERNAL'/>`,
      `<auth xmlns='${SASL}'/>`,
      `<auth xmlns='urn:other' mechanism='EXTERNAL'/>`,
      `<response xmlns='${SASL}' mechanism='EXTERNAL'/>`,
      `<message><auth xmlns='${SASL}' mechanism='EXTERNAL'/></message>`,
      "<presence/> \n<iq/>",
    ]
  ) assert.deepEqual(judge(content), { content, failures: [] }, content);
});

Deno.test("S-012 what cannot be judged does not pass", () => {
  assert.throws(() => judge("<a/><p:a/>"), /payloads cannot be read/);
});
