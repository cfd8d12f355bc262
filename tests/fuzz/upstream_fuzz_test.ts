/*
 * Invariant: whatever bytes a server sends, in whatever pieces, and whatever the client does
 * meanwhile, the stream never throws, does the same as if each read had been one piece, and ends
 * once.
 *
 * In full; the messages of failures begin with these numbers:
 *  1. `disconnect` and `ended` come once and last; afterwards nothing has an effect.
 *  2. Nothing is shown to the client before `opened`, and nothing of it is written; where TLS is
 *     required, both only under TLS. What it sends is written in order, at most once.
 *  3. Whoever waits for the server has a deadline, which is not in the past, and when it is over
 *     the stream moves on. Who waits for nothing, or for TLS, which is the shell's, has none.
 *  4. Each write after TLS or before begins with a header, and nothing follows a closing tag.
 *  5. Each payload is well-formed where it is shown; STARTTLS, compression and what is hidden of
 *     SASL are not in any features, nor does a client get through with it.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type C2sAction, C2sStream, CLOSE_TIMEOUT } from "../../src/protocol/stream/c2s.ts";
import { readStreamError } from "../../src/protocol/stream/received_error.ts";
import { payloadMessages, receivedErrorMessage } from "../../src/protocol/websocket/messages.ts";
import { NS } from "../../src/protocol/xml/names.ts";
import type { Payload } from "../../src/protocol/xml/payload.ts";
import { fuzz } from "../support/fuzz_corpus.ts";
import { cutBy, cuts, encode, mutants, NOT_UTF8, soups } from "../support/fuzz_inputs.ts";
import {
  BIND,
  MECHANISMS,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import {
  canonical,
  hasPaddedNamespace,
  parseXml,
  type XmlElement,
} from "../support/xml_element.ts";
import { cutInto } from "../support/xml_items.ts";

// ——— What servers say

const PROCEED = `<proceed xmlns='${NS.TLS}'/>`;
const SUCCESS = `<success xmlns='${NS.SASL}'>dj0=</success>`;
const SUCCESS2 =
  `<success xmlns='${NS.SASL2}'><authorization-identifier>a@b</authorization-identifier></success>`;
const COMPRESSION =
  `<compression xmlns='${NS.COMPRESS_FEATURE}'><method>zlib</method></compression>`;
const MORE_MECHANISMS = `<mechanisms xmlns='${NS.SASL}'><mechanism>SCRAM-SHA-1-PLUS</mechanism>` +
  "<mechanism>ANONYMOUS</mechanism><mechanism>PLAIN</mechanism></mechanisms>" +
  `<sasl-channel-binding xmlns='${NS.SASL_CB}'><channel-binding type='tls-exporter'/></sasl-channel-binding>`;
const SASL2 = `<authentication xmlns='${NS.SASL2}'><mechanism>PLAIN</mechanism>` +
  "<mechanism>ANONYMOUS</mechanism><inline><sm xmlns='urn:xmpp:sm:3'/></inline></authentication>";
const STANZAS = [
  "<message from='a@b' to='c@d'><body>&lt;hi&gt;</body></message>",
  "<iq type='result' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@b/c</jid></bind></iq>",
  "<presence/>",
  "<db:result xmlns:db='urn:x'/>",
  "<r xmlns='urn:xmpp:sm:3'/>",
  " ",
  "\n",
];
const ERRORS = [
  "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
  "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[::1]:5</see-other-host></stream:error>",
  "<stream:error/>",
];
const END = "</stream:stream>";
const CLEAR = [
  [streamHeader("1"), streamFeatures(STARTTLS + MECHANISMS), PROCEED],
  [streamHeader("1"), streamFeatures(COMPRESSION + STARTTLS), PROCEED],
  [streamHeader("1"), streamFeatures(STARTTLS), `<failure xmlns='${NS.TLS}'/>`, END],
  [streamHeader("1"), ERRORS[1]!, END],
  [streamHeader("1", ""), streamFeatures()],
];
const LATER = [
  [
    ...[streamHeader("2"), streamFeatures(MORE_MECHANISMS), SUCCESS],
    ...[streamHeader("3", "version='1.0' xml:lang='en'"), streamFeatures(BIND + COMPRESSION)],
    ...STANZAS,
    END,
  ],
  [streamHeader("2"), streamFeatures(SASL2), SUCCESS2, streamFeatures(BIND), ...STANZAS],
  [
    streamHeader("2", "version='1.0' xmlns:p='urn:p'"),
    streamFeatures(MECHANISMS),
    "<p:a><b p:c=''/></p:a>",
  ],
  [streamHeader("2"), streamFeatures(MECHANISMS), ERRORS[0]!, END],
  [streamHeader("2"), streamFeatures(MECHANISMS), `<failure xmlns='${NS.SASL}'/>`, END],
];
const PIECES = [...CLEAR, ...LATER].flat().concat(ERRORS, streamHeader("4"));

function phase(conversations: readonly (readonly string[])[]): fc.Arbitrary<Uint8Array> {
  const good = fc.constantFrom(...conversations).map((said) => said.join(""));
  // Something is said too often, or out of turn.
  const wrong = fc.tuple(
    fc.constantFrom(...conversations),
    fc.nat(8),
    fc.nat(2),
    fc.constantFrom(...PIECES),
  ).map(([said, at, left, piece]) =>
    [...said.slice(0, at), piece, ...said.slice(at + left)].join("")
  );
  const bits = [
    ...PIECES.map(encode),
    ...["<", ">", "/>", "'", "<a>", "</a>", "<!--", "<?xml?>", "&x;", "xmlns='u'", " xmlns:p='u'"]
      .map(encode),
    ...["stream:", "</stream:features>", "<stream:features>", "<mechanism>ANONYMOUS</mechanism>"]
      .map(encode),
    ...NOT_UTF8.slice(0, 6),
  ];
  return fc.oneof(
    { weight: 3, arbitrary: good.map(encode) },
    { weight: 3, arbitrary: wrong.map(encode) },
    { weight: 4, arbitrary: mutants(good.map(encode), bits) },
    { weight: 1, arbitrary: soups(bits, 12) },
  );
}

// ——— What a client does

const ACTS = [
  "send",
  "send",
  "log in",
  "log in hidden",
  "restart",
  "wait",
  "close",
  "lost",
] as const;

interface Game {
  readonly tls: "required" | "optional" | "never";
  readonly direct: boolean;
  readonly keepalive: number;
  readonly isHidden: boolean;
  /** What the server says before TLS, and after it. */
  readonly server: readonly [Uint8Array, Uint8Array];
  /** After how many bytes of the server's, in millionths, the client does what. */
  readonly client: readonly { readonly place: number; readonly act: typeof ACTS[number] }[];
  readonly sizes: readonly number[];
}

const NOTHING = fc.constant(encode(""));
const AGREED = fc.constantFrom(...CLEAR.slice(0, 2)).map((said) => encode(said.join("")));

/** How the connection is, and what the server says, which mostly fits. */
const connections = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      tls: fc.constantFrom("required" as const, "optional" as const),
      direct: fc.constant(false),
      server: fc.tuple(fc.oneof({ weight: 3, arbitrary: AGREED }, phase(CLEAR)), phase(LATER)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      tls: fc.constantFrom("required" as const, "never" as const),
      direct: fc.constant(true),
      server: fc.tuple(NOTHING, phase(LATER)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      tls: fc.constantFrom("never" as const, "optional" as const, "required" as const),
      direct: fc.constant(false),
      server: fc.tuple(phase([...LATER, ...CLEAR]), fc.oneof(NOTHING, phase(LATER))),
    }),
  },
);

const games: fc.Arbitrary<Game> = fc.tuple(
  connections,
  fc.record({
    keepalive: fc.constantFrom(0, 60_000),
    isHidden: fc.boolean(),
    client: fc.array(
      fc.record({
        place: fc.noBias(fc.nat(999_999)),
        act: fc.oneof(
          { weight: 5, arbitrary: fc.constantFrom(...ACTS.slice(0, 6)) },
          fc.constantFrom(...ACTS),
        ),
      }),
      { maxLength: 6 },
    ),
    sizes: cuts(),
  }),
).map(([connection, more]) => ({ ...connection, ...more }));

fuzz("U-018 an upstream stream does the same however its server's bytes are cut, and ends once", {
  target: "upstream",
  inputs: games,
  check(game) {
    const whole = new Player(game).play((bytes) => [bytes]);
    assert.deepEqual(new Player(game).play((bytes) => cutInto(bytes, 1)), whole, "byte by byte");
    assert.deepEqual(new Player(game).play((bytes) => cutBy(bytes, game.sizes)), whole, "cut");
  },
});

const TIMEOUT = 10_000;
const MORE_IN_THE_CLEAR = "the server sent more in the clear after it agreed to TLS";
const decoder = new TextDecoder();

/** Plays one game, and judges it. */
class Player {
  readonly #game: Game;
  readonly #stream: C2sStream;
  readonly #log: string[] = [];
  #now = 0;
  #isEncrypted: boolean;
  #wantsTls = false;
  #isOpen = false;
  #isClosing = false;
  #hasEnded = false;
  /** SASL or SASL2 has succeeded, and whether the stream that comes of it is there. */
  #login: "none" | "succeeded" | "there" = "none";
  #hasHeader = false;
  #hasClosed = false;
  /** The server's error, which is the client's to keep, and what it was when it came. */
  #error: { readonly bytes: Uint8Array; readonly text: string } | undefined;
  readonly #sent: string[] = [];
  #written = "";

  constructor(game: Game) {
    this.#game = game;
    this.#isEncrypted = game.direct;
    this.#stream = new C2sStream({
      opening: { to: "example.test", from: "a@example.test", version: "1.0" },
      tls: game.tls,
      direct: game.direct,
      limits: { payloadBytes: 10_000, depth: 20, attributes: 20 },
      timeout: TIMEOUT,
      keepalive: game.keepalive,
      hidden: game.isHidden ? { channelBinding: true, mechanisms: ["ANONYMOUS"] } : undefined,
    });
  }

  /** What it did, line by line; payloads that follow each other are one. */
  play(cut: (bytes: Uint8Array) => Iterable<Uint8Array>): readonly string[] {
    const { server, client } = this.#game;
    this.#look();
    this.#stream.connected(this.#now);
    this.#look();
    const total = server[0].length + server[1].length;
    const inputs = client
      .map(({ place, act }) => ({ at: Math.floor(place * (total + 1) / 1_000_000), act }))
      .sort((a, b) => a.at - b.at);
    let passed = 0;
    for (const bytes of server) {
      let from = 0;
      for (
        const { at, act } of inputs.filter(({ at }) => at >= passed && at < passed + bytes.length)
      ) {
        this.#receive(bytes.subarray(from, at - passed), cut);
        from = at - passed;
        this.#act(act);
      }
      this.#receive(bytes.subarray(from), cut);
      passed += bytes.length;
      if (this.#wantsTls) this.#secure();
    }
    for (const { act } of inputs.filter(({ at }) => at >= total)) this.#act(act);
    this.#finish();
    return this.#log;
  }

  #receive(bytes: Uint8Array, cut: (bytes: Uint8Array) => Iterable<Uint8Array>): void {
    // What comes now would be the beginning of TLS, and is none.
    if (this.#wantsTls && bytes.length > 0) this.#lose("TLS could not be negotiated");
    let read = 0;
    for (const piece of cut(bytes)) {
      const buffer = piece.slice();
      this.#stream.receive(this.#now, buffer);
      read += buffer.length;
      this.#look();
      // Payloads are borrowed until the next read.
      buffer.fill(0x3f);
      if (!this.#wantsTls || read === bytes.length) continue;
      // In one piece it would have been seen that there is more.
      assert.equal(this.#log.pop(), "start-tls");
      this.#wantsTls = false;
      this.#lose(MORE_IN_THE_CLEAR);
    }
  }

  #secure(): void {
    this.#wantsTls = false;
    this.#isEncrypted = true;
    this.#hasHeader = false;
    this.#log.push("secured");
    this.#stream.secured(this.#now);
    this.#look();
  }

  #lose(reason?: string): void {
    this.#wantsTls = false;
    this.#stream.disconnected(reason);
    this.#look();
  }

  #act(act: typeof ACTS[number]): void {
    this.#log.push(act);
    const number = this.#sent.length;
    switch (act) {
      case "send":
        return this.#send(`<message id='${number}'/>`);
      case "log in":
        return this.#send(`<auth xmlns='${NS.SASL}' mechanism='PLAIN' id='${number}'/>`);
      case "log in hidden":
        return this.#send(
          `<a/><auth xmlns='${NS.SASL}' mechanism='ANONYMOUS' id='${number}'/><b id='${number}'/>`,
        );
      case "restart":
        this.#stream.restart();
        break;
      case "wait":
        this.#now += 6_000;
        if (this.#stream.deadline !== undefined && this.#stream.deadline <= this.#now) {
          this.#stream.handleTimeout(this.#now);
        }
        break;
      case "close":
        this.#stream.close(this.#now);
        this.#isClosing ||= this.#isOpen;
        break;
      case "lost":
        return this.#lose();
      default:
        act satisfies never;
    }
    this.#look();
  }

  #send(content: string): void {
    this.#sent.push(content);
    this.#stream.send(encode(content));
    this.#look();
  }

  #finish(): void {
    // Left alone, it comes to its end, or is up and only kept alive.
    for (let wakes = 0; this.#stream.deadline !== undefined && wakes < 3; wakes++) {
      this.#now = this.#stream.deadline;
      this.#stream.handleTimeout(this.#now);
      this.#look();
    }
    const isUp = this.#isOpen && !this.#isClosing;
    assert.ok(this.#hasEnded || isUp || this.#wantsTls, "3: nothing moves");
    this.#lose();
    assert.ok(this.#hasEnded, "1: it has not ended");
    this.#stream.connected(this.#now);
    this.#stream.secured(this.#now);
    this.#stream.send(encode("<a/>"));
    this.#stream.restart();
    this.#stream.receive(this.#now, encode("<a/>"));
    this.#stream.close(this.#now);
    this.#stream.disconnected();
    this.#stream.handleTimeout(this.#now + 1_000_000);
    assert.equal(this.#stream.poll(), undefined, "1: something after the end");
    if (this.#error) assert.equal(decoder.decode(this.#error.bytes), this.#error.text, "1: kept");
    if (!this.#game.isHidden) {
      const all = this.#sent.join("");
      assert.ok(all.startsWith(this.#written), `2: ${this.#written} of ${all}`);
    }
  }

  /** Does what there is to do, and looks at the state that it leaves. */
  #look(): void {
    for (let action; (action = this.#stream.poll()) !== undefined;) this.#perform(action);
    const { deadline } = this.#stream;
    const isKept = this.#isOpen && this.#game.keepalive > 0 && this.#login === "there";
    const waits = !this.#hasEnded && !this.#wantsTls && this.#log.length > 0 &&
      (!this.#isOpen || this.#isClosing || isKept);
    assert.equal(deadline !== undefined, waits, "3: a deadline");
    if (deadline === undefined) return;
    const longest = this.#isClosing ? CLOSE_TIMEOUT : isKept ? this.#game.keepalive : TIMEOUT;
    assert.ok(deadline >= this.#now && deadline <= this.#now + longest, `3: at ${deadline}`);
  }

  #perform(action: C2sAction): void {
    assert.ok(!this.#hasEnded, `1: ${action.type} after the end`);
    const last = this.#log.at(-1);
    if (last === "disconnect") assert.equal(action.type, "ended", "1: after disconnect");
    switch (action.type) {
      case "write":
        return this.#wrote(decoder.decode(action.bytes));
      case "start-tls":
        this.#wantsTls = true;
        break;
      case "opened":
        assert.ok(this.#isEncrypted || this.#game.tls !== "required", "2: in the clear");
        this.#isOpen = true;
        if (this.#login === "succeeded") this.#login = "there";
        this.#log.push(`opened ${JSON.stringify(action.header)}`);
        return;
      case "deliver": {
        assert.ok(this.#isOpen, "2: before it is open");
        const shown = action.payloads.map((payload) => {
          if (payload.namespace === NS.SASL && payload.name === "success") {
            if (this.#login === "none") this.#login = "succeeded";
          }
          if (payload.namespace === NS.SASL2 && payload.name === "success") this.#login = "there";
          const text = decoder.decode(payloadMessages([payload])[0]);
          this.#judge(text);
          return text;
        }).join("");
        if (last?.startsWith("deliver ")) this.#log[this.#log.length - 1] = last + shown;
        else this.#log.push(`deliver ${shown}`);
        return;
      }
      case "disconnect":
        break;
      case "ended": {
        assert.equal(last, "disconnect", "1: before the end");
        this.#hasEnded = true;
        const { end } = action;
        const said = end.type === "stream-error" ? decoder.decode(end.error.bytes) : "";
        if (end.type === "stream-error") {
          this.#error = { bytes: end.error.bytes, text: said };
          this.#judgeError(end.error);
        }
        this.#log.push(`ended ${end.type} ${end.type === "connection-failed" ? end.reason : said}`);
        return;
      }
      default:
        action satisfies never;
    }
    this.#log.push(action.type);
  }

  #wrote(text: string): void {
    assert.ok(!this.#wantsTls, "4: while TLS is negotiated");
    assert.ok(!this.#hasClosed, `4: behind a closing tag: ${text}`);
    assert.ok(this.#hasHeader || text.startsWith("<?xml "), `4: before a header: ${text}`);
    this.#hasHeader = true;
    this.#hasClosed = text === END;
    if (/^<(?:message|auth|a\/|b )/.test(text)) {
      assert.ok(this.#isOpen, "2: of the client, before it is open");
      if (!this.#isClosing) this.#written += text;
      assert.ok(!text.includes("ANONYMOUS") || !this.#game.isHidden || this.#login !== "none", "5");
    }
    assert.ok(this.#isEncrypted || !text.includes(" from="), "2: who it is, in the clear");
    this.#log.push(`write ${text}`);
  }

  /** Looks at a stream error as we do, and as clients are told of it. */
  #judgeError(error: Payload): void {
    const { condition, reason, otherHost } = readStreamError(error);
    assert.ok(condition.length > 0 && condition.length <= 64, condition);
    assert.ok(reason.length < 400 && (otherHost ?? "?").length <= 200);
    const text = decoder.decode(payloadMessages([error])[0]);
    if (hasPaddedNamespace(text)) return;
    const told = decoder.decode(receivedErrorMessage(error));
    assert.equal(canonical(parseXml(told)), canonical(parseXml(text)), "5: another error");
  }

  /** Looks at a payload as the client does. */
  #judge(text: string): void {
    if (hasPaddedNamespace(text)) return;
    const payload = parseXml(text);
    if (payload.name !== "features" || payload.namespace !== NS.STREAMS) return;
    for (const feature of elementsOf(payload)) {
      const name = `${feature.namespace} ${feature.name}`;
      assert.notEqual(name, `${NS.TLS} starttls`, "5: STARTTLS is shown");
      assert.notEqual(name, `${NS.COMPRESS_FEATURE} compression`, "5: compression is shown");
      if (!this.#game.isHidden) continue;
      assert.notEqual(feature.namespace, NS.SASL_CB, "5: channel binding is shown");
      if (feature.namespace !== NS.SASL && feature.namespace !== NS.SASL2) continue;
      for (const { name, children } of elementsOf(feature)) {
        const offered = children.filter((child) => typeof child === "string").join("");
        assert.ok(name !== "mechanism" || !/-PLUS$|^ANONYMOUS$/.test(offered), `5: ${offered}`);
      }
    }
  }
}

function elementsOf({ children }: XmlElement): XmlElement[] {
  return children.filter((child) => typeof child !== "string");
}
