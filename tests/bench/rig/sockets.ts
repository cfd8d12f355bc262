/**
 * Sockets without an event loop: the C library's own, by Deno's foreign functions. The load and the
 * upstream stub share a core, and must cost less than what they measure, or it would never be busy;
 * over `node:net` they cost twice as much. Linux on x86-64 and ARM64 only, with glibc.
 *
 * What comes is text as latin1, a character an octet: nobody here looks at more than ASCII.
 */
import { Buffer } from "node:buffer";

const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept: { parameters: ["i32", "pointer", "pointer"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u64", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u64", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
}).symbols;

const [AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY] = [2, 1, 6, 1];
const [SOL_SOCKET, SO_REUSEADDR] = [1, 2];
const [EPOLL_CTL_ADD, EPOLLIN] = [1, 1];
const MSG_NOSIGNAL = 0x4000;
const RLIMIT_NOFILE = 7;
// `struct epoll_event` is packed on x86-64 alone.
const [EVENT_SIZE, DATA_AT] = Deno.build.arch === "x86_64" ? [12, 4] : [16, 8];
const MOST_EVENTS = 256;
const ONE = new Uint8Array(new Int32Array([1]).buffer);

const incoming = Buffer.alloc(65_536);
let outgoing = new Uint8Array(65_536);
const encoder = new TextEncoder();
const events = Buffer.alloc(EVENT_SIZE * MOST_EVENTS);
const epoll = check(libc.epoll_create1(0), "epoll_create1");

/** What happens on a socket. */
export interface Listener {
  /** What came; empty: the other side has closed, and so is this one. */
  readable(text: string): void;
}

interface Acceptor {
  accepted(fd: number): Listener;
}

const listeners: (Listener | Acceptor | undefined)[] = [];

/** A connection to a port of 127.0.0.1. */
export function connect(port: number, listener: Listener): number {
  const fd = check(libc.socket(AF_INET, SOCK_STREAM, 0), "socket");
  check(libc.connect(fd, address(port), 16), `connect to port ${port}`);
  adopt(fd, listener);
  return fd;
}

/** Accepts on a port of 127.0.0.1. */
export function listen(port: number, acceptor: Acceptor): void {
  const fd = check(libc.socket(AF_INET, SOCK_STREAM, 0), "socket");
  check(libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ONE, 4), "setsockopt");
  check(libc.bind(fd, address(port), 16), `bind to port ${port}`);
  check(libc.listen(fd, 4_096), "listen");
  watch(fd, acceptor);
}

/** Watches what this process has already, as its standard input. */
export function watch(fd: number, listener: Listener | Acceptor): void {
  events.writeUInt32LE(EPOLLIN, 0);
  events.writeUInt32LE(fd, DATA_AT);
  check(libc.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, events), "epoll_ctl");
  listeners[fd] = listener;
}

/**
 * Writes `octets` and then `text`, which is ASCII, all of it, and waits until it can. Nothing
 * happens when the other side has gone.
 */
export function write(fd: number, text: string, octets?: Uint8Array): void {
  const begin = octets?.length ?? 0;
  const length = begin + text.length;
  if (length > outgoing.length) outgoing = new Uint8Array(2 * length);
  if (octets) outgoing.set(octets);
  encoder.encodeInto(text, begin === 0 ? outgoing : outgoing.subarray(begin));
  for (let at = 0; at < length;) {
    const rest = at === 0 ? outgoing : outgoing.subarray(at);
    const sent = libc.send(fd, rest, BigInt(length - at), MSG_NOSIGNAL);
    if (sent < 0) return;
    at += sent;
  }
}

export function close(fd: number): void {
  listeners[fd] = undefined;
  libc.close(fd);
}

/** Tells the listeners what has happened, after so many milliseconds at the most; -1: whenever it does. */
export function turn(patience: number): void {
  const count = libc.epoll_wait(epoll, events, MOST_EVENTS, patience);
  for (let i = 0; i < count; i++) {
    const fd = events.readUInt32LE(i * EVENT_SIZE + DATA_AT);
    ready[i] = fd;
  }
  for (let i = 0; i < count; i++) {
    const fd = ready[i]!;
    const listener = listeners[fd];
    if (listener === undefined) continue;
    if ("accepted" in listener) accept(fd, listener);
    else {
      const length = libc.recv(fd, incoming, 65_536n, 0);
      if (length <= 0) close(fd);
      listener.readable(length <= 0 ? "" : incoming.toString("latin1", 0, length));
    }
  }
}

const ready: number[] = [];

/**
 * How many files this process may have open from now on, and those that it starts: `count`, or
 * fewer where no more are allowed.
 */
export function allowOpenFiles(count: number): number {
  const limits = new BigUint64Array([BigInt(count), BigInt(count)]);
  const octets = new Uint8Array(limits.buffer);
  if (libc.setrlimit(RLIMIT_NOFILE, octets) === 0) return count;
  check(libc.getrlimit(RLIMIT_NOFILE, octets), "getrlimit");
  limits[0] = limits[1]!;
  check(libc.setrlimit(RLIMIT_NOFILE, octets), "setrlimit");
  return Math.min(count, Number(limits[1]));
}

function accept(fd: number, acceptor: Acceptor): void {
  const accepted = libc.accept(fd, null, null);
  if (accepted >= 0) adopt(accepted, acceptor.accepted(accepted));
}

function adopt(fd: number, listener: Listener): void {
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ONE, 4);
  watch(fd, listener);
}

function address(port: number): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(16);
  address.set([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1]);
  return address;
}

function check(result: number, what: string): number {
  if (result < 0) throw new Error(`Cannot ${what}`);
  return result;
}
