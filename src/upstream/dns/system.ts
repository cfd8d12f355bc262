/** What the machine knows of names: whom to ask, and what need not be asked. */

import { NetworkError } from "../failure.ts";
import { addressKind } from "../policy.ts";
import type { ServerAddress } from "./exchange.ts";

/** resolv.conf(5): "Up to MAXNS (currently 3 …) name servers may be listed". */
const MAX_SERVERS = 3;

/** The names and the name servers of this machine. */
export interface System {
  /** In the order in which they are to be asked. Rejects with {@link NetworkError}. */
  nameservers(): Promise<readonly ServerAddress[]>;
  /** What the hosts file says; `undefined` when it does not know the name (in lower case). */
  hosts(name: string): Promise<readonly string[] | undefined>;
  /** All addresses, as any program of the machine finds them. Rejects with {@link NetworkError}. */
  lookup(name: string): Promise<readonly string[]>;
}

export function system(
  files = { resolvConf: "/etc/resolv.conf", hosts: "/etc/hosts" },
): System {
  const servers = new WatchedFile(files.resolvConf, readResolvConf);
  const names = new WatchedFile(files.hosts, readHosts);
  return {
    async nameservers() {
      const found = await servers.content();
      if (found !== undefined) return found;
      throw new NetworkError(
        `no name server is known, for ${files.resolvConf} cannot be read; write one: ` +
          `[upstream] nameserver = "address:53"`,
      );
    },
    async hosts(name) {
      return (await names.content())?.get(name);
    },
    async lookup(name) {
      const { lookup } = await import("node:dns/promises");
      try {
        return (await lookup(name, { all: true })).map(({ address }) => address);
      } catch (cause) {
        throw new NetworkError(`the name ${name} does not resolve`, { cause });
      }
    },
  };
}

/** What a file says, read again when it has changed. */
class WatchedFile<T> {
  readonly #path: string;
  readonly #read: (text: string) => T;
  #version = "";
  #content: T | undefined;

  constructor(path: string, read: (text: string) => T) {
    this.#path = path;
    this.#read = read;
  }

  /** `undefined` when there is no such file, or we may not read it. */
  async content(): Promise<T | undefined> {
    try {
      const { mtime, size, ino } = await Deno.stat(this.#path);
      const version = `${mtime?.getTime()} ${size} ${ino}`;
      if (version !== this.#version) {
        this.#content = this.#read(await Deno.readTextFile(this.#path));
        this.#version = version;
      }
    } catch {
      this.#content = undefined;
      this.#version = "";
    }
    return this.#content;
  }
}

/** resolv.conf(5); `search` and `options` are for other names than ours, which are all complete. */
function readResolvConf(text: string): readonly ServerAddress[] {
  const servers = text.split("\n").flatMap((line) => {
    const address = /^nameserver\s+(\S+)/.exec(line)?.[1];
    return address === undefined || addressKind(address) === "invalid"
      ? []
      : [{ address, port: 53 }];
  });
  // "If no nameserver entries are present, the default is to use the name server on the local machine."
  return servers.length === 0
    ? [{ address: "127.0.0.1", port: 53 }]
    : servers.slice(0, MAX_SERVERS);
}

/** hosts(5): an address and its names on each line. */
function readHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (addressKind(address) === "invalid") continue;
    for (const name of new Set(names.map((name) => name.toLowerCase()))) {
      const known = hosts.get(name) ?? [];
      hosts.set(name, [...known, address]);
    }
  }
  return hosts;
}
