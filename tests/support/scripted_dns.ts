import { createSocket, type Socket } from "node:dgram";
import net from "node:net";
import { Inbox } from "./patience.ts";

/** A record as a test writes it; `data` of an SRV record: `priority weight port target`. */
export interface WrittenRecord {
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "SOA" | "SRV" | "TXT";
  readonly ttl?: number;
  /** Address, name, numbers and names as in a zone file; of SOA its minimum only. */
  readonly data: string;
}

export interface WrittenReply {
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly answers?: readonly WrittenRecord[];
  readonly authorities?: readonly WrittenRecord[];
  /** Default: those of the query. */
  readonly id?: number;
  readonly question?: { readonly name: string; readonly type: string };
}

/** A question that has come. */
export interface Asked {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly transport: "udp" | "tcp";
  /** Where it came from. */
  readonly port: number;
  /** Answers it; a second time is possible. */
  answer(reply: WrittenReply): void;
  /** Sends these bytes, over TCP without the length before them. */
  raw(bytes: Uint8Array): void;
}

/** What is answered to a question; `undefined`: nothing at all. */
export type Script = (asked: Asked) => WrittenReply | undefined;

/** A name server on a free port of loopback, by UDP and TCP, that answers what a test says. */
export class ScriptedNameServer {
  readonly address: string;
  readonly port: number;
  /** Questions that the script left alone. */
  readonly questions = new Inbox<Asked>();
  /** All questions, such as `udp SRV _xmpp-client._tcp.example.test`. */
  readonly log: string[] = [];
  readonly #udp: Socket;
  readonly #tcp: net.Server;
  readonly #connections = new Set<net.Socket>();
  readonly #script: Script;

  private constructor(address: string, udp: Socket, tcp: net.Server, script: Script) {
    this.address = address;
    this.port = udp.address().port;
    this.#udp = udp;
    this.#tcp = tcp;
    this.#script = script;
    udp.on("message", (bytes, from) =>
      this.#asked(bytes, "udp", from.port, (reply) => {
        udp.send(reply, from.port, from.address);
      }));
    tcp.on("connection", (socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
      socket.on("error", () => {});
      // A query is so short that it comes in one piece.
      socket.on(
        "data",
        (bytes) =>
          this.#asked(bytes.subarray(2), "tcp", socket.remotePort ?? 0, (reply) => {
            socket.write(new Uint8Array([reply.length >> 8, reply.length & 0xff]));
            socket.write(reply);
          }),
      );
    });
  }

  static async listen(
    script: Script = () => undefined,
    address = "127.0.0.1",
  ): Promise<ScriptedNameServer> {
    for (;;) {
      const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
      await new Promise<void>((resolve) => udp.bind(0, address, resolve));
      const tcp = net.createServer();
      const listening = await new Promise<boolean>((resolve) => {
        // The port is free for datagrams; somebody may have it for TCP.
        tcp.once("error", () => resolve(false));
        tcp.listen(udp.address().port, address, () => resolve(true));
      });
      if (listening) return new ScriptedNameServer(address, udp, tcp, script);
      await new Promise<void>((resolve) => udp.close(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(resolve)),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ]);
  }

  #asked(
    bytes: Uint8Array,
    transport: "udp" | "tcp",
    port: number,
    raw: (bytes: Uint8Array) => void,
  ): void {
    const { id, name, type } = readQuery(bytes);
    this.log.push(`${transport} ${type} ${name}`);
    const answer = (reply: WrittenReply) => raw(writeReply(reply, { id, name, type }));
    const asked: Asked = { id, name, type, transport, port, answer, raw };
    const reply = this.#script(asked);
    if (reply === undefined) this.questions.put(asked);
    else answer(reply);
  }
}

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};

function readQuery(bytes: Uint8Array): { id: number; name: string; type: string } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const labels: string[] = [];
  let at = 12;
  while (bytes[at] !== 0) {
    const length = bytes[at]!;
    labels.push(new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  const number = view.getUint16(at + 1);
  const type = Object.keys(TYPES).find((name) => TYPES[name] === number) ?? String(number);
  return { id: view.getUint16(0), name: labels.join("."), type };
}

/** A reply as bytes, without compression. */
export function writeReply(
  reply: WrittenReply,
  query: { readonly id: number; readonly name: string; readonly type: string },
): Uint8Array {
  const { rcode = 0, truncated = false, answers = [], authorities = [] } = reply;
  const { id = query.id, question = query } = reply;
  return new Uint8Array([
    ...u16(id),
    ...u16(0x8180 | (truncated ? 0x0200 : 0) | rcode),
    ...u16(1),
    ...u16(answers.length),
    ...u16(authorities.length),
    ...u16(0),
    ...nameBytes(question.name),
    ...u16(TYPES[question.type]!),
    ...u16(1),
    ...[...answers, ...authorities].flatMap(recordBytes),
  ]);
}

function recordBytes({ name, type, ttl = 60, data }: WrittenRecord): number[] {
  const content = dataBytes(type, data);
  return [
    ...nameBytes(name),
    ...u16(TYPES[type]!),
    ...u16(1),
    ...u32(ttl),
    ...u16(content.length),
    ...content,
  ];
}

function dataBytes(type: WrittenRecord["type"], data: string): number[] {
  switch (type) {
    case "A":
      return data.split(".").map(Number);
    case "AAAA": {
      const [head = "", tail = ""] = data.split("::");
      const groups = (text: string) =>
        text === "" ? [] : text.split(":").map((g) => parseInt(g, 16));
      const zeros = Array(8 - groups(head).length - groups(tail).length).fill(0);
      return [...groups(head), ...zeros, ...groups(tail)].flatMap(u16);
    }
    case "CNAME":
      return nameBytes(data);
    case "SOA":
      return [...nameBytes("ns"), ...nameBytes("mail"), ...Array(16).fill(0), ...u32(Number(data))];
    case "SRV": {
      const [priority, weight, port, target = ""] = data.split(" ");
      return [...[priority, weight, port].flatMap((n) => u16(Number(n))), ...nameBytes(target)];
    }
    case "TXT":
      return [data.length, ...new TextEncoder().encode(data)];
  }
}

function nameBytes(name: string): number[] {
  const labels = name.split(".").filter((label) => label !== "");
  return [
    ...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]),
    0,
  ];
}

function u16(value: number): number[] {
  return [value >> 8 & 0xff, value & 0xff];
}

function u32(value: number): number[] {
  return [...u16(Math.floor(value / 65_536)), ...u16(value % 65_536)];
}
