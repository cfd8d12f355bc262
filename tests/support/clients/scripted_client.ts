import { patiently } from "../patience.ts";
import { type Credentials, LoginError, type XmppClient } from "./client.ts";
import { type Manner, ScriptedLine } from "./scripted_line.ts";
import { presence, ScriptedStream } from "./scripted_stream.ts";

/** A client of ours whose BOSH session can be looked at. */
export interface ScriptedClient extends XmppClient {
  readonly line: ScriptedLine;
}

/** Logs in over one stream, and does all the rest in this manner. */
export async function scriptedClient(
  url: string,
  manner: Manner,
  credentials: Credentials,
): Promise<ScriptedClient> {
  const line = new ScriptedLine(url, manner);
  const stream = new ScriptedStream({
    say: (content) => line.say(content),
    restart: () => line.restart(),
  });
  line.onPayload = (payload) => stream.receive(payload);
  const failed = line.ended.then((condition) => {
    throw new LoginError(condition);
  });
  failed.catch(() => {});
  try {
    await line.open();
    await Promise.race([stream.logIn(credentials), failed]);
  } catch (error) {
    line.close();
    throw error;
  }
  stream.show();
  return {
    jid: stream.jid,
    ended: line.ended,
    traffic: line.traffic,
    line,
    send: (to, message) => stream.send(to, message),
    receive: () => stream.messages.take(),
    ask: () => stream.ping(),
    show: (status) => stream.show(status),
    presence: () => stream.presences.take(),
    async logOut() {
      void line.ask("type='terminate'", presence("", "unavailable"));
      await patiently(line.ended, `${stream.jid} has ended its session`);
    },
    abandon: () => line.close(),
  };
}
