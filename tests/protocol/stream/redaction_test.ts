import assert from "node:assert/strict";
import fc from "fast-check";
import { redacted } from "../../../src/protocol/stream/redaction.ts";
import { parseXml } from "../../support/xml_element.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const SASL2 = "xmlns='urn:xmpp:sasl:2'";
const encoder = new TextEncoder();

function shown(xml: string): string {
  return redacted(encoder.encode(xml)).map(({ xml }) => xml).join("|");
}

/** What is shown of payloads, by what they are. */
const SHOWN: Readonly<Record<string, readonly [written: string, shown: string]>> = {
  "PLAIN": [
    `<auth ${SASL} mechanism='PLAIN'>AGFsaWNlAHB3</auth>`,
    `<auth ${SASL} mechanism='PLAIN'>[12 bytes redacted]</auth>`,
  ],
  "SCRAM, from its first to its last word": [
    `<auth ${SASL} mechanism='SCRAM-SHA-1-PLUS'>biws</auth><challenge ${SASL}>cj0x</challenge>` +
    `<response ${SASL}>Yz1i</response><success ${SASL}>dj0y</success>`,
    `<auth ${SASL} mechanism='SCRAM-SHA-1-PLUS'>[4 bytes redacted]</auth>|` +
    `<challenge ${SASL}>[4 bytes redacted]</challenge>|` +
    `<response ${SASL}>[4 bytes redacted]</response>|<success ${SASL}>[4 bytes redacted]</success>`,
  ],
  "what is empty": [
    `<success ${SASL}/><abort ${SASL}></abort>`,
    `<success ${SASL}/>|<abort ${SASL}></abort>`,
  ],
  "a failure": [
    `<failure ${SASL}><not-authorized/><text xml:lang='en'>wrong: pw</text></failure>`,
    `<failure ${SASL}><not-authorized/><text xml:lang='[2 bytes redacted]'>[9 bytes redacted]</text></failure>`,
  ],
  "a failure that repeats": [
    `<failure ${SASL}>AGFs<not-authorized/></failure>`,
    `<failure ${SASL}>[4 bytes redacted]<not-authorized/></failure>`,
  ],
  "mechanisms": [
    `<mechanisms ${SASL}><mechanism>SCRAM-SHA-256</mechanism> <mechanism>not one</mechanism></mechanisms>`,
    `<mechanisms ${SASL}><mechanism>SCRAM-SHA-256</mechanism> <mechanism>[7 bytes redacted]</mechanism></mechanisms>`,
  ],
  "SASL2": [
    `<authenticate ${SASL2} mechanism='PLAIN' x='y'><initial-response>AGFs</initial-response>` +
    `<user-agent id='d4565fa7'><software>x</software></user-agent></authenticate>`,
    `<authenticate ${SASL2} mechanism='PLAIN' x='[1 bytes redacted]'>[102 bytes redacted]</authenticate>`,
  ],
  "SASL2, a success with a token": [
    `<success ${SASL2}><authorization-identifier>a@b</authorization-identifier>` +
    `<token xmlns='urn:xmpp:fast:0' token='WXZzciBwYmFmZ2VocGds' expiry='2026'/></success>`,
    `<success ${SASL2}>[131 bytes redacted]</success>`,
  ],
  "a token alone": [
    "<token xmlns='urn:xmpp:fast:0' token='WXZz' expiry='2026'/>",
    "<token xmlns='urn:xmpp:fast:0' token='[4 bytes redacted]' expiry='[4 bytes redacted]'/>",
  ],
  "a prefix": [
    "<s:auth xmlns:s='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>pw</s:auth>",
    "<s:auth xmlns:s='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'>[2 bytes redacted]</s:auth>",
  ],
  "a namespace that is spelled with references": [
    "<x xmlns='urn:ietf:params:xml:ns&#58;xmpp-s&#x61;sl'>pw</x>",
    "<x xmlns='urn:ietf:params:xml:ns&#58;xmpp-s&#x61;sl'>[2 bytes redacted]</x>",
  ],
  "no namespace, by mistake": ["<auth>pw</auth>", "<auth>[2 bytes redacted]</auth>"],
  "a name that only SASL's namespace makes one of it": [
    `<x ${SASL}>pw<y>pw</y></x>`,
    `<x ${SASL}>[11 bytes redacted]</x>`,
  ],
  "inside of something else": [
    `<message><x><a:b xmlns:a='urn:xmpp:sasl:2'>pw</a:b></x><body>hi</body></message>`,
    `<message><x><a:b xmlns:a='urn:xmpp:sasl:2'>[2 bytes redacted]</a:b></x><body>hi</body></message>`,
  ],
  "something else inside": [
    `<authentication ${SASL2}><inline><sm xmlns='urn:xmpp:sm:3' id='x'>pw</sm></inline></authentication>`,
    `<authentication ${SASL2}><inline><sm xmlns='urn:xmpp:sm:3' id='[1 bytes redacted]'>[2 bytes redacted]</sm></inline></authentication>`,
  ],
  "a section": [
    `<auth ${SASL}><![CDATA[</auth>pw]]></auth>`,
    `<auth ${SASL}>[21 bytes redacted]</auth>`,
  ],
  "an element of the same name inside": [
    "<password><password>a</password>b</password>",
    "<password>[23 bytes redacted]</password>",
  ],
  "jabber:iq:auth": [
    "<iq type='set'><query xmlns='jabber:iq:auth'><username>alice</username><digest>48fc</digest>" +
    "<password>pw</password><hash>ab</hash><resource>r</resource></query></iq>",
    "<iq type='set'><query xmlns='jabber:iq:auth'><username>alice</username><digest>[4 bytes redacted]</digest>" +
    "<password>[2 bytes redacted]</password><hash>[2 bytes redacted]</hash><resource>r</resource></query></iq>",
  ],
  "jabber:iq:register": [
    "<iq><query xmlns='jabber:iq:register'><username>bob</username><password>pw</password><key>k</key></query></iq>",
    "<iq><query xmlns='jabber:iq:register'><username>bob</username><password>[2 bytes redacted]</password><key>[1 bytes redacted]</key></query></iq>",
  ],
  "data forms": [
    "<x xmlns='jabber:x:data'><field var='user'><value>bob</value></field>" +
    "<field var='old_p&#97;ssword'><value>pw</value></field>" +
    "<field type='text-private' var='x'><value>pw</value></field></x>",
    "<x xmlns='jabber:x:data'><field var='user'><value>bob</value></field>" +
    "<field var='old_p&#97;ssword'>[17 bytes redacted]</field>" +
    "<field type='text-private' var='x'>[17 bytes redacted]</field></x>",
  ],
  "a room's password": [
    "<presence><x xmlns='http://jabber.org/protocol/muc'><password>pw</password></x></presence>",
    "<presence><x xmlns='http://jabber.org/protocol/muc'><password>[2 bytes redacted]</password></x></presence>",
  ],
  "attributes": [
    `<x password="p'w" name='n' client-secret='ü'/>`,
    `<x password='[3 bytes redacted]' name='n' client-secret='[2 bytes redacted]'/>`,
  ],
  "what is no secret": [
    "<message to='bob@example.test'><body>what I say &lt;3 &#x1F600; ü</body></message><r/>",
    "<message to='bob@example.test'><body>what I say &lt;3 &#x1F600; ü</body></message>|<r/>",
  ],
  "white space": [" <a/>\n<b\t></b >", "<a/>|<b></b >"],
};

for (const [what, [written, expected]] of Object.entries(SHOWN)) {
  Deno.test(`S-004 redaction: ${what}`, () => assert.equal(shown(written), expected));
}

Deno.test("S-004 redaction: a prefix that the stream declares counts", () => {
  const inherited = [{ prefix: "q", namespace: "urn:xmpp:sasl:2" }];
  const [payload] = redacted(encoder.encode("<q:x a='b'>pw</q:x>"), inherited);
  assert.deepEqual(payload, {
    bytes: 19,
    xml: "<q:x a='[1 bytes redacted]'>[2 bytes redacted]</q:x>",
  });
});

Deno.test("S-004 redaction: each payload is told with its size, secrets and all", () => {
  const payloads = redacted(encoder.encode(`<auth ${SASL}>ü</auth> <message/>`));
  assert.deepEqual(payloads.map(({ bytes }) => bytes), [`<auth ${SASL}>xx</auth>`.length, 10]);
});

Deno.test("S-004 redaction: of what cannot be read nothing is shown", () => {
  for (
    const broken of [
      "pw",
      "<a>pw",
      "<a>pw</b>",
      "<a>pw</a></a>",
      "<a><b>pw</a></b>",
      "<a b=pw/>",
      "<a b='pw/>",
      "<auth><x>pw</auth></x>",
      "<auth>pw",
      "<!-- pw -->",
      "<?pw?>",
      "<a>&pw</a><",
      "<a/>pw",
      "<a b='&#x110000;'>pw</a>",
      "< a>pw</a>",
    ]
  ) {
    assert.equal(shown(broken), `[${broken.length} bytes redacted]`, broken);
  }
  assert.deepEqual(redacted(new Uint8Array([0x3c, 0x61, 0xff, 0x2f, 0x3e])), [
    { bytes: 5, xml: "[5 bytes redacted]" },
  ]);
  assert.deepEqual(redacted(new Uint8Array(0)), []);
});

// ---- whatever is nested in whatever, under any prefix

/** Never in anything that is shown, however it is written. */
const secret = fc.string({
  unit: fc.constantFrom(..."bcfgjkqvwxyz+/"),
  minLength: 6,
  maxLength: 20,
})
  .map((text) => `Zq${text}Qz`);

/** What the secret may look like in text and in an attribute. */
function spelled(text: string): fc.Arbitrary<string> {
  return fc.constantFrom(
    text,
    `<![CDATA[${text}]]>`,
    `${text.slice(0, 4)}<![CDATA[${text.slice(4)}]]>`,
    `&#x5A;${text.slice(1)}`,
    `\n\t${text} &amp;`,
    `<![CDATA[</auth></success><${text}>]]>${text}`,
  );
}

const NAMESPACES = [
  "urn:ietf:params:xml:ns:xmpp-sasl",
  "urn:xmpp:sasl:2",
  "urn:xmpp:sasl:1",
  "urn:xmpp:fast:0",
];
const NAMES = [
  "auth",
  "authenticate",
  "response",
  "challenge",
  "success",
  "abort",
  "initial-response",
  "additional-data",
  "failure",
  "mechanism",
  "mechanisms",
  "text",
  "continue",
  "token",
  "anything",
];

/** An element with a secret in it, which by its namespace or its name nobody may see. */
const secretElement = fc.record({
  secret,
  namespace: fc.constantFrom(...NAMESPACES, "jabber:client", ""),
  name: fc.constantFrom(...NAMES),
  prefix: fc.constantFrom("", "s", "\u{e4}", "x-1"),
  quote: fc.constantFrom("'", '"'),
  inAttribute: fc.boolean(),
  wrapped: fc.boolean(),
}).chain(({ secret, namespace, name, prefix, quote, inAttribute, wrapped }) =>
  spelled(secret).map((text) => {
    // Without SASL's namespace, only the name can tell.
    const local = NAMESPACES.includes(namespace) ? name : "auth";
    const bound = prefix === "" || namespace === "" ? "" : `${prefix}:`;
    const declaration = namespace === ""
      ? ""
      : ` xmlns${bound === "" ? "" : `:${prefix}`}=${quote}${namespace}${quote}`;
    const attribute = inAttribute ? ` value=${quote}${secret}${quote}` : "";
    const content = wrapped ? `<any x='${secret}'>${text}<y/></any>` : text;
    const xml = `<${bound}${local}${attribute}${declaration}>${content}</${bound}${local}>`;
    return { secret, xml };
  })
);

interface Written {
  readonly secrets: readonly string[];
  readonly xml: string;
}

/** Elements of no account around it, and beside it. */
const { document } = fc.letrec<{ document: Written }>((tie) => ({
  document: fc.oneof(
    { depthSize: "small" },
    secretElement.map(({ secret, xml }) => ({ secrets: [secret], xml })),
    fc.constant<Written>({ secrets: [], xml: "<body>plainly <b>said</b></body>" }),
    fc.record({
      name: fc.constantFrom("message", "iq", "a:x", "q"),
      inner: fc.array(tie("document"), { maxLength: 3 }),
    }).map(({ name, inner }) => ({
      secrets: inner.flatMap(({ secrets }) => secrets),
      xml: `<${name} xmlns:a='urn:a' id='1'>${inner.map(({ xml }) => xml).join(" ")}</${name}>`,
    })),
  ),
}));

Deno.test("S-004 redaction: no text of SASL survives, whatever is around it and however it is written", () => {
  let seen = 0;
  fc.assert(
    fc.property(fc.array(document, { minLength: 1, maxLength: 3 }), (documents) => {
      const xml = documents.map(({ xml }) => xml).join("");
      const payloads = redacted(encoder.encode(xml));
      assert.equal(payloads.length, documents.length);
      assert.equal(
        payloads.reduce((sum, { bytes }) => sum + bytes, 0),
        encoder.encode(xml).length,
      );
      for (const [at, { secrets }] of documents.entries()) {
        const shown = payloads[at]!.xml;
        for (const secret of secrets) {
          seen++;
          // Neither whole nor in the pieces into which it may have been cut.
          for (const part of [secret, secret.slice(1), secret.slice(0, 4), secret.slice(4)]) {
            assert.ok(!shown.includes(part), `${secret} in ${shown}`);
          }
        }
        // What is no secret is there, and all of it is a document still.
        const written = documents[at]!.xml.match(/plainly/g)?.length ?? 0;
        assert.equal(shown.match(/plainly/g)?.length ?? 0, written);
        parseXml(shown);
      }
    }),
    { numRuns: Number(Deno.env.get("FUZZ_RUNS") ?? 2_000) },
  );
  assert.ok(seen > 500, `${seen} secrets`);
});
