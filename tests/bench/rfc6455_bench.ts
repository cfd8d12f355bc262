/*
 * What a message costs on its way through the WebSocket codec, in and out. Reading takes the mask
 * off where it is, so each chunk is masked again after it was read; `mask` says what of the time
 * that is.
 */
import { WebSocketCodec } from "../../src/protocol/rfc6455/codec.ts";
import { unmask } from "../../src/protocol/rfc6455/mask.ts";
import { bytesOf, KEY, text } from "../support/rfc6455.ts";

const OPTIONS = { maxMessage: 1 << 20, pingInterval: 30_000 };
const MASK = KEY[0] | KEY[1] << 8 | KEY[2] << 16 | KEY[3] << 24;

const MESSAGES = {
  "ASCII": "x".repeat(300),
  "Cyrillic": "Съешь ещё этих мягких французских булок. ".repeat(4).slice(0, 163),
  "long": "x".repeat(16_384),
};

/** Keeps what is made from being found useless. */
let sink: Uint8Array | undefined;

for (const [name, message] of Object.entries(MESSAGES)) {
  const bytes = bytesOf(message);
  const chunk = text(message);
  const halves = [chunk.slice(0, 100), chunk.slice(100)] as const;
  const group = `${name}, ${bytes.length} bytes`;
  const codec = new WebSocketCodec(0, OPTIONS);
  const read = () => {
    const action = codec.poll();
    if (action?.type !== "message") throw new Error("no message");
    sink = action.bytes;
    codec.poll();
  };
  const mask = () => {
    unmask(chunk, chunk.length - bytes.length, chunk.length, MASK, 0);
  };
  Deno.bench({
    name: `in: ${name}`,
    group,
    baseline: true,
    fn() {
      codec.receive(0, chunk);
      read();
      mask();
    },
  });
  Deno.bench({ name: `mask: ${name}`, group, fn: mask });
  Deno.bench({
    name: `in, in two chunks: ${name}`,
    group,
    fn() {
      codec.receive(0, halves[0]);
      codec.poll();
      codec.receive(0, halves[1]);
      read();
    },
  });
  Deno.bench({ name: `out: ${name}`, group, fn: () => void (sink = codec.text([bytes])) });
}

export { sink };
