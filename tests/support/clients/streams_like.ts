import { patiently } from "../patience.ts";
import { type ClientKind, type Credentials, LoginError } from "./client.ts";
import type { ScriptedClient } from "./scripted_client.ts";
import { type Manner, ScriptedLine } from "./scripted_line.ts";
import { presence, ScriptedStream } from "./scripted_stream.ts";

/** A client of ours with two XMPP streams in one BOSH session (XEP-0124 §16): nobody else has such a thing. */
export const streamsLike: readonly ClientKind[] = [
  {
    name: "our own over BOSH, two streams in one session",
    transport: "bosh",
    version: () => Promise.resolve("ours"),
    logIn: logInTwice,
  },
];

/** The first stream is the client; the second has a resource of its own, of which nobody is told. */
export interface TwofoldClient extends ScriptedClient {
  readonly second: ScriptedStream;
  /** Ends the second stream alone; settles with the condition, which is none if all is well. */
  endSecond(): Promise<string>;
}

const MANNER: Manner = {
  creation: "ver='1.11' wait='60' hold='1' xmpp:version='1.0' xml:lang='en'",
  restart: "xmpp:restart='true'",
  attributes: () => "",
  idle: 0,
  repeats: "at once",
};

export async function logInTwice(url: string, credentials: Credentials): Promise<TwofoldClient> {
  const line = new ScriptedLine(url, MANNER);
  const streams = new Map<string, ScriptedStream>();
  const streamOf = (name: string): ScriptedStream => {
    const way = {
      say: (content: string) => line.say(content, `stream='${name}'`),
      restart: () => line.restart(`stream='${name}' to='example.test'`),
    };
    return streams.getOrInsertComputed(name, () => new ScriptedStream(way));
  };
  // While there is one stream, answers need not name it.
  line.onPayload = (payload, name = streams.keys().next().value) =>
    streamOf(name!).receive(payload);
  const failed = line.ended.then((condition) => {
    throw new LoginError(condition);
  });
  failed.catch(() => {});
  const open = async (name: string | undefined, resource: string): Promise<string> => {
    if (name === undefined) throw new Error("the stream has no name");
    await Promise.race([streamOf(name).logIn({ ...credentials, resource }), failed]);
    return name;
  };
  const { resource } = credentials;
  let first, second: string;
  try {
    first = streamOf(await open((await line.open()).get("stream"), resource));
    const answer = await Promise.race([line.ask("to='example.test' xmpp:version='1.0'"), failed]);
    second = await open(answer.get("stream"), `${resource}-second`);
  } catch (error) {
    line.close();
    throw error;
  }
  first.show();
  const secondEnded = Promise.withResolvers<string>();
  line.onEnd = (stream, condition) => stream === second && secondEnded.resolve(condition);
  const endSecond = () => {
    line.say("", `stream='${second}' type='terminate'`);
    return patiently(secondEnded.promise, "the second stream has ended");
  };
  return {
    jid: first.jid,
    ended: line.ended,
    traffic: line.traffic,
    line,
    second: streamOf(second),
    endSecond,
    send: (to, message) => first.send(to, message),
    receive: () => first.messages.take(),
    async ask() {
      const [one, other] = await Promise.all([first.ping(), streamOf(second).ping()]);
      return one === other ? one : `${one} and ${other}`;
    },
    show: (status) => first.show(status),
    presence: () => first.presences.take(),
    async logOut() {
      await endSecond();
      void line.ask("type='terminate'", presence("", "unavailable"));
      await patiently(line.ended, `${first.jid} has ended its session`);
    },
    abandon: () => line.close(),
  };
}
