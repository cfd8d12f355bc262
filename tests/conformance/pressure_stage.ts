import assert from "node:assert/strict";
import { authorityFile, fileOf, fingerprint } from "../support/certificates/certificates.ts";
import {
  MECHANISMS,
  type ScriptedConnection,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import type { RawWebSocket } from "../support/raw_websocket.ts";
import { CREATION, message, nextHeader, Stage, type Talk } from "./stage.ts";
import { connect, OPEN } from "./websocket_stage.ts";

/** Megabytes that are poured at somebody who does not read. */
const MEGABYTES = Number(Deno.env.get("PRESSURE_MB") ?? 64);
const QUEUED_BYTES = 1_048_576;
/**
 * What the system's own buffers may hold of one connection, both ends of it together, and what is
 * on its way through the process: with loopback's, and with TLS. It is the same for a gigabyte.
 */
const SYSTEM_BYTES = 15 << 20;
const MOST = QUEUED_BYTES + SYSTEM_BYTES;
assert.ok(MEGABYTES * 1_000_000 > 3 * MOST, "too little to show anything");
/** Everything is in one process: both ends, and what the test looks with. */
const MOST_GROWTH = 150 << 20;

/** How the server is reached: in the clear, and by TLS over either of the two pipes. */
const WAYS = {
  "in the clear": 'tls = "never"',
  "by Deno's TLS": `ca = "${authorityFile}"`,
  "by node's TLS": `fingerprints = ["${fingerprint("example.test")}"]`,
};

/** A listener with TLS. */
export const FRONT_TLS = `
tls = { cert = "${fileOf("example.test.pem")}", key = "${fileOf("example.test.key")}" }`;

export type Way = keyof typeof WAYS;

const BODY = "x".repeat(60_000);

/** So many numbered messages come to {@link MEGABYTES}. */
export const COUNT = Math.ceil(MEGABYTES * 1_000_000 / message(0, BODY).length);

export function* messages(count = COUNT): Iterable<string> {
  for (let id = 0; id < count; id++) yield message(id, BODY);
}

/** A connection manager, its server, and a neighbour that must not notice what else there is. */
export class PressureStage implements AsyncDisposable {
  readonly stage: Stage;
  readonly #isSecure: boolean;
  #neighbour!: { readonly socket: RawWebSocket; readonly upstream: ScriptedConnection };
  #rounds = 0;

  private constructor(stage: Stage, isSecure: boolean) {
    this.stage = stage;
    this.#isSecure = isSecure;
  }

  /** `listen`: keys of the listener, as TOML. */
  static async set(way: Way, listen = ""): Promise<PressureStage> {
    const stage = await Stage.set({
      domain: WAYS[way],
      limits: `queued_bytes = ${QUEUED_BYTES}`,
      certificate: "example.test",
      listen,
    });
    const pressure = new PressureStage(stage, way !== "in the clear");
    pressure.#neighbour = await pressure.webSocket();
    return pressure;
  }

  async bosh(): Promise<Talk> {
    const client = this.stage.client();
    const creating = client.create(CREATION);
    const upstream = await this.#welcome();
    return { client, upstream, creation: await creating };
  }

  async webSocket(): Promise<
    { readonly socket: RawWebSocket; readonly upstream: ScriptedConnection }
  > {
    const socket = await connect(this.stage);
    socket.text(OPEN);
    const upstream = await this.#welcome();
    for (let i = 0; i < 3; i++) await socket.message();
    return { socket, upstream };
  }

  /**
   * Has the neighbour talk until many of its rounds have not changed the number of bytes, which has to
   * be one that the two ends may have between them. Nor may the process have grown much meanwhile.
   */
  async staysBounded(bytes: () => number): Promise<void> {
    const memory = Deno.memoryUsage().rss;
    for (let still = 0, before = bytes(); still < 150;) {
      await this.round();
      const now = bytes();
      assert.ok(now < MOST, `${now} bytes are on their way`);
      still = now === before ? still + 1 : 0;
      before = now;
    }
    assert.ok(bytes() > QUEUED_BYTES / 2, `${bytes()} bytes are on their way`);
    const growth = Deno.memoryUsage().rss - memory;
    assert.ok(growth < MOST_GROWTH, `the process has grown by ${growth} bytes`);
  }

  /** A message of the neighbour's, there and back. */
  async round(): Promise<void> {
    const { socket, upstream } = this.#neighbour;
    const id = `round-${++this.#rounds}`;
    socket.text(message(id));
    await upstream.expect(`id='${id}'`);
    upstream.write(message(id));
    assert.match(await socket.message(), new RegExp(`id='${id}'`));
  }

  /** The events of a type. */
  events<Type extends string>(type: Type) {
    return this.stage.running.events.filter((event) => event.type === type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#neighbour.socket.destroy();
    await this.stage[Symbol.asyncDispose]();
  }

  async #welcome(): Promise<ScriptedConnection> {
    const upstream = await this.stage.server.accept();
    await nextHeader(upstream);
    if (this.#isSecure) {
      upstream.write(streamHeader("clear") + streamFeatures(STARTTLS));
      await upstream.startTls();
      await nextHeader(upstream);
    }
    // Its presence shows that the server knows its client, who may now send more.
    upstream.write(streamHeader("up") + streamFeatures(MECHANISMS) + "<presence/>");
    return upstream;
  }
}

/** Counts numbered messages, which have to come in their order. */
export class InOrder {
  count = 0;
  #rest = "";

  add(text: string): void {
    const all = this.#rest + text;
    let end = 0;
    for (const { 0: tag, 1: id, index } of all.matchAll(/<message [^>]*?id='(\d+)'>/g)) {
      end = index + tag.length;
      // What is out of order stops the count, and so the test.
      if (Number(id) === this.count) this.count++;
    }
    this.#rest = all.slice(Math.max(end, all.length - 200));
  }
}
