/**
 * The server's side of one WebSocket connection (RFC 6455), with no sockets and no clock.
 *
 * Theory. After the handshake (`handshake.ts`) the connection is `open`, and frames are read from
 * what comes, cut anywhere. Whoever begins the closing handshake, the other answers with a close
 * frame, and then it is our side that ends the TCP connection first (§7.1.1): a half-close after
 * the last byte, so that nothing we wrote is lost, and two seconds for the peer to do the same. A
 * peer that breaks a rule is told by a close frame, and not listened to any more (§7.1.7). After a
 * close frame of ours nothing is sent, and what comes is read for the peer's close frame alone. A
 * ping leaves every `pingInterval`; any byte that comes is a sign of life, because a pong cannot
 * come before the end of a long frame. A peer is lost when two pings in a row brought no sign of
 * it within an interval each. While the shell does not listen, it is not lost for its silence.
 *
 * Inputs take `now` (milliseconds) and change the state. After any input, take what there is to
 * do from `poll` until it is `undefined`, then arm one timer for `deadline`. Frames are read by
 * `poll`, one at a time, so that what an action led to (`close`) holds for all that comes behind it.
 *
 * An open connection holds no buffer between messages, and some 260 bytes in all. A message that
 * lies whole in one chunk is a view of it; others are gathered, and bounded by what their frames'
 * headers declare.
 *
 * permessage-deflate (RFC 7692) is not negotiated. With context takeover zlib keeps 256 KiB to
 * deflate and about 40 KiB to inflate for each connection at its default settings (zconf.h), many
 * times what an idle session costs; without it a stanza of 300 bytes shrinks by two fifths at best,
 * for 30 to 60 microseconds, where all of the rest costs one. And to bound what a few bytes inflate
 * to, this layer would need an inflater of its own that can be told where to stop.
 */
import { ActionQueue } from "../action_queue.ts";
import { NEW_ROOM, type Room } from "../room.ts";
import { joined } from "../stream/bytes.ts";
import { CLOSE_CODE, closeFrame, readClosePayload } from "./close_code.ts";
import {
  frame,
  type FrameHeader,
  frames,
  isControl,
  MAX_HEADER,
  OPCODE,
  readFrameHeader,
} from "./frame.ts";
import { GatheredMessage } from "./gathered_message.ts";
import { unmask } from "./mask.ts";
import { skipCharacters } from "./utf8.ts";

/** What a connection may cost, and how it is watched. */
export interface CodecOptions {
  /** Bytes that one message may have. */
  readonly maxMessage: number;
  /** Milliseconds between pings; 0: no pings. */
  readonly pingInterval: number;
}

/** What the codec asks of the shell, in order. */
export type CodecAction =
  /** One whole message; text is UTF-8. The bytes are good until the next `receive`. */
  | { readonly type: "message"; readonly bytes: Uint8Array; readonly binary: boolean }
  /** A ping or a pong came. */
  | { readonly type: "alive" }
  /**
   * A message goes beyond `maxMessage`. Nothing more is read. The shell may still send, and
   * `close`; if it has not closed by the next `poll`, the codec does, with 1009.
   */
  | { readonly type: "too-large" }
  | { readonly type: "write"; readonly bytes: Uint8Array<ArrayBuffer> }
  /**
   * Half-closes the TCP connection when all is written. What still comes is to be read, though it
   * is thrown away: a connection that is closed with bytes unread loses those on their way out.
   */
  | { readonly type: "end" }
  /** Ends the TCP connection at once. */
  | { readonly type: "drop" }
  /**
   * The WebSocket is over; comes once. `code` is that of the peer's close frame (1005: it had
   * none), or ours if the peer broke a rule, or 1006 if the connection was lost.
   */
  | { readonly type: "closed"; readonly code: number };

type State =
  | "open"
  /** The shell has heard of a message that is too large, and has the word. */
  | "refusing"
  /** Our close frame is out; theirs is waited for. */
  | "closing"
  /** We have half-closed; the end of the peer's side is waited for. */
  | "ended"
  | "over";

/** How long the peer has for its part of the closing handshake, and of TCP's (milliseconds). */
const CLOSE_PATIENCE = 2_000;

/** Pings in a row that may go without a sign of life. */
const LOST_AFTER = 2;

/** Empty fragments cost nothing and could go on for ever; no sender needs as many frames. */
const MAX_FRAMES = 65_536;

const EMPTY = new Uint8Array(0);
const PING = frame(OPCODE.PING, EMPTY);
const ALIVE: CodecAction = { type: "alive" };

export class WebSocketCodec {
  /** Bytes that one message may have from here on. */
  maxMessage: number;
  readonly #pingInterval: number;
  readonly #actions = new ActionQueue<CodecAction>();
  #state: State = "open";
  #deadline: number | undefined;
  /** Pings since the last sign of life. */
  #pings = 0;
  /** What `receive` was given, when, and how much of it has been read. */
  #chunk: Uint8Array = EMPTY;
  #now = 0;
  #at = 0;
  /** The beginning of a frame's header that a chunk's edge has cut. */
  #cutHeader: Uint8Array | undefined;
  /** The frame whose payload is being read, and the bytes of it that have been. */
  #frame: FrameHeader | undefined;
  #taken = 0;
  /** The payload of a control frame that a chunk's edge has cut. */
  #control: Uint8Array | undefined;
  #message: GatheredMessage | undefined;
  /** The answer to the last ping, until it can be written. */
  #pong: Uint8Array<ArrayBuffer> | undefined;
  #flows = true;
  /** The shell takes messages. */
  #isHeard = true;

  /** `options` is kept, and may be shared by all connections. */
  constructor(now: number, options: CodecOptions) {
    this.maxMessage = options.maxMessage;
    this.#pingInterval = options.pingInterval;
    this.#armPing(now);
  }

  // ---- inputs

  /**
   * Bytes of the peer, in any pieces, once those before were read to the end by `poll`, or while the
   * shell does not listen. The chunk is given away: masks are taken off in place, and messages are
   * views of it.
   */
  receive(now: number, chunk: Uint8Array): void {
    this.#pings = 0;
    if (!this.#listens) return;
    this.#chunk = this.#isHeard ? chunk : joined([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#now = now;
  }

  /**
   * Whether the shell takes messages. While it does not, nothing is read of what has come: the shell
   * is to see to it that little more does.
   */
  listen(now: number, open: boolean): void {
    this.#isHeard = open;
    this.#now = now;
  }

  /** The peer has ended its side of the TCP connection; it may still read what was written. */
  peerEnded(_now: number): void {
    // Behind a closing handshake that is as it should be.
    if (this.#state !== "ended") this.#drop();
  }

  /** The TCP connection is gone. */
  disconnected(_now: number): void {
    this.#drop();
  }

  /**
   * Whether the network takes what is written. While it does not, pongs wait, and of several only
   * the newest is sent (RFC 6455 §5.5.3 allows that): so a peer that sends pings and does not
   * read cannot fill our memory.
   */
  flow(open: boolean): void {
    this.#flows = open;
  }

  /** Starts the closing handshake, unless there is one. */
  close(now: number, code: number): void {
    if (this.#state === "refusing") return this.#fail(now, code, "");
    if (this.#state !== "open") return;
    this.#writeClose(closeFrame(code));
    this.#state = "closing";
    this.#deadline = now + CLOSE_PATIENCE;
    this.#message = undefined;
  }

  /** To be called when `deadline` has come; harmless before. */
  handleTimeout(now: number): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    if (this.#state !== "open" || this.#pings >= LOST_AFTER) return this.#drop();
    if (this.#isHeard) this.#pings++;
    this.#act({ type: "write", bytes: PING });
    this.#armPing(now);
  }

  // ---- outputs

  /**
   * The frames of text messages, whose bytes are UTF-8, to be sent in this order; `undefined` once a
   * close frame was sent.
   */
  text(
    messages: readonly Uint8Array[],
    room: Room = NEW_ROOM,
  ): Uint8Array<ArrayBuffer> | undefined {
    return this.#speaks ? frames(OPCODE.TEXT, messages, room) : undefined;
  }

  /** What the shell must do next; `undefined` when there is nothing. */
  poll(): CodecAction | undefined {
    if (this.#state === "refusing") this.#fail(this.#now, CLOSE_CODE.TOO_LARGE, this.#limits());
    // Reading may put several actions in the queue instead of returning one.
    const action = this.#actions.poll() ?? this.#read() ?? this.#actions.poll();
    if (action !== undefined || !this.#flows || this.#pong === undefined) return action;
    const bytes = this.#pong;
    this.#pong = undefined;
    return { type: "write", bytes };
  }

  /** When `handleTimeout` is due (milliseconds), if ever. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  // ---- reading

  /** Reads on to the next action, or to the end of the chunk, which then is let go. */
  #read(): CodecAction | undefined {
    while (this.#listens) {
      if (!this.#isHeard) return undefined;
      this.#frame ??= this.#readHeader();
      if (this.#frame === undefined) break;
      const { length, opcode } = this.#frame;
      const from = this.#at;
      const phase = this.#taken;
      const count = Math.min(length - phase, this.#chunk.length - from);
      if (count === 0 && length > phase) break;
      this.#at += count;
      this.#taken += count;
      const action = isControl(opcode)
        ? this.#takeControl(this.#frame, from, phase)
        : this.#takeData(this.#frame, from, phase);
      if (this.#taken === length) this.#frame = undefined;
      if (action !== undefined) return action;
    }
    this.#chunk = EMPTY;
    this.#at = 0;
    return undefined;
  }

  /** The next frame, judged by its header; `undefined` when there is none, or there may be none. */
  #readHeader(): FrameHeader | undefined {
    const cut = this.#cutHeader;
    // Most headers are not cut.
    const bytes = cut === undefined
      ? this.#chunk
      : joined([cut, this.#chunk.subarray(this.#at, this.#at + MAX_HEADER - cut.length)]);
    const start = cut === undefined ? this.#at : 0;
    const header = readFrameHeader(bytes, start);
    if (typeof header === "string") {
      this.#fail(this.#now, CLOSE_CODE.PROTOCOL_ERROR, header);
      return undefined;
    }
    if (header === undefined) {
      if (this.#at < this.#chunk.length) this.#cutHeader = new Uint8Array(bytes.subarray(start));
      this.#at = this.#chunk.length;
      return undefined;
    }
    this.#at += header.size - (cut?.length ?? 0);
    this.#taken = 0;
    this.#cutHeader = undefined;
    return isControl(header.opcode) || this.#state !== "open" || this.#admit(header)
      ? header
      : undefined;
  }

  /** Whether a frame of data may stand here (§5.4), and be as long as it says. */
  #admit(header: FrameHeader): boolean {
    const { fin, opcode, length } = header;
    const continues = opcode === OPCODE.CONTINUATION;
    if (continues !== (this.#message !== undefined)) {
      const reason = continues
        ? "a continuation frame continues no message"
        : "a message begins inside another";
      this.#fail(this.#now, CLOSE_CODE.PROTOCOL_ERROR, reason);
      return false;
    }
    const declared = length + (this.#message?.declared ?? 0);
    const frames = 1 + (this.#message?.frames ?? 0);
    if (declared > this.maxMessage || frames > MAX_FRAMES) {
      this.#silence("refusing");
      this.#act({ type: "too-large" });
      return false;
    }
    // A message that lies whole in the chunk needs no gathering.
    if (continues || !fin || length > this.#chunk.length - this.#at) {
      this.#message ??= new GatheredMessage(opcode === OPCODE.BINARY);
      this.#message.declared = declared;
      this.#message.frames = frames;
    }
    return true;
  }

  #limits(): string {
    return `a message may have ${this.maxMessage} bytes in ${MAX_FRAMES} frames`;
  }

  /** Payload of a data frame, from `from` to `#at` in the chunk. */
  #takeData(frame: FrameHeader, from: number, phase: number): CodecAction | undefined {
    // After our close frame data is passed over.
    if (this.#state !== "open") return undefined;
    const { mask, opcode, fin } = frame;
    const chunk = this.#chunk;
    if (this.#message === undefined) {
      const binary = opcode === OPCODE.BINARY;
      const seen = unmask(chunk, from, this.#at, mask, 0);
      if (!binary && seen >= 0x80 && skipCharacters(chunk, from, this.#at) !== this.#at) {
        return this.#refuseText();
      }
      return { type: "message", bytes: view(chunk, from, this.#at), binary };
    }
    if (!this.#message.append(chunk, from, this.#at, mask, phase)) return this.#refuseText();
    if (!fin || this.#taken < frame.length) return undefined;
    const bytes = this.#message.finish();
    if (bytes === undefined) return this.#refuseText();
    const { binary } = this.#message;
    this.#message = undefined;
    return { type: "message", bytes, binary };
  }

  /** §8.1: what is not UTF-8 "MUST _Fail the WebSocket Connection_". */
  #refuseText(): undefined {
    this.#fail(this.#now, CLOSE_CODE.INVALID_DATA, "a text message is not UTF-8");
  }

  /** Payload of a control frame, from `from` to `#at` in the chunk. */
  #takeControl(frame: FrameHeader, from: number, phase: number): CodecAction | undefined {
    const { length, mask, opcode } = frame;
    unmask(this.#chunk, from, this.#at, mask, phase);
    let payload = view(this.#chunk, from, this.#at);
    if (payload.length < length) {
      this.#control ??= new Uint8Array(length);
      this.#control.set(payload, phase);
      if (this.#taken < length) return undefined;
      payload = this.#control;
      this.#control = undefined;
    }
    switch (opcode) {
      case OPCODE.CLOSE:
        this.#peerCloses(payload);
        return undefined;
      case OPCODE.PING:
        this.#answerPing(payload);
        return ALIVE;
      default:
        // §5.5.3: "A response to an unsolicited Pong frame is not expected."
        return ALIVE;
    }
  }

  /** §5.5.2: a pong is due "unless it already received a Close frame", with what the ping had. */
  #answerPing(payload: Uint8Array): void {
    if (this.#state === "open") this.#pong = frame(OPCODE.PONG, payload);
  }

  #peerCloses(payload: Uint8Array): void {
    const close = readClosePayload(payload);
    if ("reason" in close) return this.#fail(this.#now, close.code, close.reason);
    // §5.5.1: the endpoint that answers "typically echos the status code it received".
    if (this.#state === "open") this.#writeClose(closeFrame(close.code));
    this.#end(this.#now, close.code);
  }

  // ---- transitions

  /** Text may be sent. */
  get #speaks(): boolean {
    return this.#state === "open" || this.#state === "refusing";
  }

  /** Frames are read. */
  get #listens(): boolean {
    return this.#state === "open" || this.#state === "closing";
  }

  #armPing(now: number): void {
    const pingInterval = this.#pingInterval;
    this.#deadline = pingInterval === 0 ? undefined : now + pingInterval;
  }

  #writeClose(bytes: Uint8Array<ArrayBuffer>): void {
    // What was asked before the close is answered before it.
    if (this.#pong !== undefined && this.#flows) this.#act({ type: "write", bytes: this.#pong });
    this.#pong = undefined;
    this.#act({ type: "write", bytes });
  }

  /** §7.1.7: the peer is told why, if it can be, and not listened to any more. */
  #fail(now: number, code: number, reason: string): void {
    if (this.#speaks) this.#writeClose(closeFrame(code, reason));
    this.#end(now, code);
  }

  #end(now: number, code: number): void {
    this.#silence("ended");
    this.#deadline = now + CLOSE_PATIENCE;
    this.#act({ type: "end" });
    this.#act({ type: "closed", code });
  }

  #drop(): void {
    if (this.#state === "over") return;
    const told = this.#state === "ended";
    this.#silence("over");
    this.#deadline = undefined;
    this.#act({ type: "drop" });
    if (!told) this.#act({ type: "closed", code: CLOSE_CODE.LOST });
  }

  /** Into a state that reads nothing, and so holds nothing. */
  #silence(state: "refusing" | "ended" | "over"): void {
    this.#state = state;
    this.#chunk = EMPTY;
    this.#at = 0;
    this.#cutHeader =
      this.#frame =
      this.#control =
      this.#message =
        undefined;
    if (state !== "refusing") this.#pong = undefined;
  }

  #act(action: CodecAction): void {
    this.#actions.push(action);
  }
}

/** A view that is a plain `Uint8Array`, whatever the platform's reads are. */
function view(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from);
}
