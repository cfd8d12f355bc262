/**
 * Plays the conversations in `transcripts/` against the pure session; `transcripts/README.md` says
 * how they are written. A conversation fails when the connection manager says or does anything that
 * is not written there, or leaves out anything that is.
 */
import assert from "node:assert/strict";
import type { BoshLimits } from "../src/protocol/bosh/negotiation.ts";
import { BoshConversation, payloadsOf } from "./support/bosh_conversation.ts";

const FOLDER = new URL("transcripts/", import.meta.url);

interface Conversation {
  /** Checklist ids, a sentence, and where the specification says so. */
  readonly title: string;
  readonly lines: readonly Line[];
}

interface Line {
  readonly text: string;
  /** In its file, counted from 1. */
  readonly number: number;
}

for (const file of transcripts()) {
  for (const conversation of conversationsOf(Deno.readTextFileSync(new URL(file, FOLDER)))) {
    Deno.test(conversation.title, () => new Player(file).play(conversation));
  }
}

Deno.test("there are conversations to play, and each is about something of its own", () => {
  const titles = transcripts().flatMap((file) =>
    conversationsOf(Deno.readTextFileSync(new URL(file, FOLDER))).map(({ title }) => title)
  );
  assert.ok(titles.length >= 20, `only ${titles.length}`);
  assert.equal(new Set(titles).size, titles.length);
  for (const title of titles) assert.match(title, /^(?:[BXJUS]-\d{3} )+.*\(XEP-0\d{3} §.*\)$/);
});

Deno.test("the player fails on a line that differs, is missing or is too many", () => {
  const play = (lines: string) => {
    const [conversation] = conversationsOf("## t\n```\n" + lines + "\n```\n");
    new Player("t").play(conversation!);
  };
  const start = "session  <body wait='60' hold='1' ver='1.6'/>\nclient 11  <body><a/></body>\n";
  play(
    `${start}manager to server  <a/>\nserver  <b xmlns='urn:b'/>\n` +
      "manager 11  <body><b xmlns='urn:b'/></body>",
  );
  for (
    const wrong of [
      "",
      "manager to server  <b/>",
      "manager to server  <a/>\nmanager 11  <body/>",
      "manager to server  <a/>\nclient 12  <body/>",
      "manager to server  <a/>\n+60s",
      "manager to server  <a/>\nnobody says this",
      "manager to server  <a/>\nclient leaves 12",
    ]
  ) assert.throws(() => play(start + wrong), wrong);
});

function transcripts(): string[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.endsWith(".md") && name !== "README.md").sort();
}

/** A heading of the second level begins a conversation, whose lines stand between fences. */
function conversationsOf(markdown: string): Conversation[] {
  const conversations: { title: string; lines: Line[] }[] = [];
  let fenced = false;
  for (const [index, text] of markdown.split("\n").entries()) {
    if (text.startsWith("```")) fenced = !fenced;
    else if (!fenced && text.startsWith("## ")) {
      conversations.push({ title: text.slice(3), lines: [] });
    } else if (fenced && text.trim() !== "") {
      const lines = conversations.at(-1)!.lines;
      const goesOn = /^ +(?<rest>.*)$/.exec(text)?.groups?.["rest"];
      if (goesOn === undefined) lines.push({ text, number: index + 1 });
      else {
        const { text: before, number } = lines.pop()!;
        lines.push({ text: before + (goesOn.startsWith("<") ? "" : " ") + goesOn, number });
      }
    }
  }
  return conversations;
}

/** What a line says, by the words at its beginning; the groups are the handlers' arguments. */
type Handler = (player: Player, groups: Readonly<Record<string, string>>) => void;

const INPUTS: readonly (readonly [RegExp, Handler])[] = [
  [/^given +(?<settings>.+)$/, (player, { settings = "" }) => player.given(settings)],
  [/^session +(?<body><body.*)$/, (player, { body = "" }) => player.establish(body)],
  [
    /^client leaves (?<label>\d+'*)$/,
    (player, { label = "" }) => player.talk.leaves(player.numberOf(label)),
  ],
  [
    /^client (?<label>\d+'*) +(?<body><body.*)$/,
    (player, { label = "", body = "" }) => player.client(label, body),
  ],
  [
    /^server(?: \[(?<stream>\w+)\])? opens +id='(?<id>[^']*)'(?: from='(?<from>[^']*)')?$/,
    (player, { stream, id, from }) => player.talk.opened(id, stream, from),
  ],
  [
    /^server(?: \[(?<stream>\w+)\])? closes$/,
    (player, { stream }) => player.talk.serverEnds({ type: "closed" }, stream),
  ],
  [
    /^server(?: \[(?<stream>\w+)\])? is lost: (?<reason>.+)$/,
    (player, { stream, reason = "" }) =>
      player.talk.serverEnds({ type: "connection-failed", reason }, stream),
  ],
  [
    /^server(?: \[(?<stream>\w+)\])? +(?<xml><stream:error>.*)$/,
    (player, { stream, xml = "" }) =>
      player.talk.serverEnds({ type: "stream-error", error: payloadsOf(xml)[0]! }, stream),
  ],
  [
    /^server(?: \[(?<stream>\w+)\])? +(?<xml><.*)$/,
    (player, { stream, xml = "" }) => player.talk.server(xml, stream),
  ],
  [/^\+(?<seconds>[\d.]+)s$/, (player, { seconds }) => player.talk.wait(Number(seconds))],
  [/^shutdown$/, (player) => player.talk.shutdown()],
];

class Player {
  readonly #file: string;
  #limits: Partial<BoshLimits> = {};
  #talk: BoshConversation | undefined;
  /** The requests by the session's numbers for them. */
  readonly #labels: string[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  play({ lines }: Conversation): void {
    let said: Line[] = [];
    let last: Line | undefined;
    for (const line of lines) {
      if (line.text.startsWith("manager ")) {
        said.push(line);
        continue;
      }
      this.#compare(said, last);
      said = [];
      last = line;
      this.#perform(line);
    }
    this.#compare(said, last);
  }

  get talk(): BoshConversation {
    assert.ok(this.#talk, "a conversation begins with a client's request, or with a session");
    return this.#talk;
  }

  /** Settings of the connection manager, in the specification's words and in seconds. */
  given(settings: string): void {
    const entries = settings.split(/, */).map((setting) => {
      const [, name = "", value = ""] = /^(\w+) (\d+s?|true|false)$/.exec(setting) ??
        assert.fail(`not a setting: ${setting}`);
      const number = value.endsWith("s") ? Number(value.slice(0, -1)) * 1000 : Number(value);
      return [name, /^(?:true|false)$/.test(value) ? value === "true" : number];
    });
    this.#limits = Object.fromEntries(entries);
  }

  /** A session whose creation request, with rid 10, has been answered with features. */
  establish(body: string): void {
    this.client("10", body);
    this.talk.opened();
    this.talk.server("<stream:features/>");
    this.talk.take();
  }

  client(label: string, body: string): void {
    const rid = `rid='${label.replaceAll("'", "")}'`;
    const { attributes, content } = partsOf(body);
    assert.ok(!this.#labels.includes(label), `${label} is used twice`);
    this.#labels.push(label);
    if (this.#talk === undefined) {
      this.#talk = new BoshConversation(`${rid} ${attributes}`, this.#limits, { content });
    } else this.talk.client(`${rid} ${attributes}`, content);
  }

  /** The session's number for a request. */
  numberOf(label: string): number {
    const number = this.#labels.indexOf(label);
    assert.ok(number >= 0, `there is no request ${label}`);
    return number;
  }

  #perform({ text, number }: Line): void {
    for (const [pattern, handler] of INPUTS) {
      const groups = pattern.exec(text);
      if (groups) return handler(this, groups.groups ?? {});
    }
    assert.fail(`${this.#file}:${number}: nobody understands "${text}"`);
  }

  /** What was written must be all that was said, since the last input. */
  #compare(said: readonly Line[], input: Line | undefined): void {
    const actual = this.#talk?.take().map((line) => this.#written(line)) ?? [];
    const expected = said.map(({ text }) => text.replace(/ {2,}/, "  "));
    const where = `${this.#file}:${input?.number}: after "${input?.text}"`;
    assert.deepEqual(actual, expected, `${where} came\n${actual.join("\n")}`);
  }

  /** An action of the session in the notation of the transcripts. */
  #written(action: string): string {
    const answer = /^answer (\d+)( HTTP \d+)?: (.*)$/.exec(action);
    if (answer) {
      const [, request, status = "", body] = answer;
      return `manager ${this.#labels[Number(request)]}${status}  ${body}`;
    }
    const ended = /^ended (\S+): (.*)$/.exec(action);
    if (ended) return `manager ends the session ${ended[1]}: ${ended[2]}`;
    const [, verb = "", stream, rest = ""] = /^(\w+)(?: (stream\d+))?(?: (.*))?$/.exec(action) ??
      [];
    const to = `manager to server${stream === undefined ? "" : ` [${stream}]`}`;
    switch (verb) {
      case "send":
        return `${to}  ${rest}`;
      case "open":
        return `${to} opens  ${attributesOf(rest)}`;
      case "restart":
        return `${to} restarts${rest === "" ? "" : `  ${rest}`}`;
      case "close":
        return `${to} closes`;
      case "drop":
        return `${to} drops`;
      case "flow":
        return `${to} ${rest === "open" ? "reads" : "does not read"}`;
      case "acknowledged":
        return `manager reports acknowledged: ${rest}`;
      case "undelivered":
        return `manager reports undelivered: ${rest}`;
      default:
        return assert.fail(`an action without a notation: ${action}`);
    }
  }
}

/** The members of a JSON object as attributes. */
function attributesOf(json: string): string {
  return Object.entries(JSON.parse(json)).map(([name, value]) => `${name}='${value}'`).join(" ");
}

/** A wrapper without its namespace, sid and rid. */
function partsOf(body: string): { readonly attributes: string; readonly content: string } {
  const parts =
    /^<body(?<attributes>(?: [\w:]+='[^']*')*)(?:\/>|>(?<content>.*)<\/body>)$/.exec(body)
      ?.groups ?? assert.fail(`not a body: ${body}`);
  return { attributes: parts["attributes"] ?? "", content: parts["content"] ?? "" };
}
