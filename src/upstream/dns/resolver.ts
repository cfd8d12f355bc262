import type { Clock } from "../../clock.ts";
import type { Answer } from "./answer.ts";
import { type LookupBound, LookupCache } from "./cache.ts";
import { DnsClient } from "./client.ts";
import type { ServerAddress } from "./exchange.ts";
import type { Data, RecordType } from "./message.ts";
import { type System, system } from "./system.ts";

/** Whom to ask, and for how long. */
export interface LookupOptions {
  /** `undefined`: the system's. */
  readonly nameserver: ServerAddress | undefined;
  /** Gives this lookup up. */
  readonly signal: AbortSignal;
}

/** Looks names up and remembers what there was. Every method rejects with {@link NetworkError}, and when its signal fires. */
export class Resolver {
  readonly #system: System;
  readonly #client: DnsClient;
  readonly #cache: LookupCache<Answer>;

  /** `bound` is for names that are looked up; what is remembered does not count. */
  constructor(clock: Clock, machine: System = system(), bound?: LookupBound) {
    this.#system = machine;
    this.#client = new DnsClient(clock);
    this.#cache = new LookupCache(clock, bound);
  }

  /** What DNS has; nothing when there is no such name, or none of this type. */
  async records<T extends RecordType>(
    name: string,
    type: T,
    { nameserver, signal }: LookupOptions,
  ): Promise<readonly Data<T>[]> {
    const asked = name.toLowerCase();
    const by = nameserver === undefined ? "system" : `${nameserver.address} ${nameserver.port}`;
    const { records } = await this.#cache.get(`${type} ${asked} ${by}`, signal, async (signal) => {
      const servers = nameserver === undefined ? await this.#system.nameservers() : [nameserver];
      return await this.#client.ask({ name: asked, type }, servers, signal);
    });
    return records as readonly Data<T>[];
  }

  /**
   * What the machine's hosts file says of a name that DNS would be asked for; `undefined`: nothing.
   *
   * The file is read here, and not by way of the system's own lookup (`getaddrinfo`), because that
   * tells no time to live, cannot be given up, and holds a thread for as long as a name server of a
   * stranger's choice is silent.
   */
  hosts(name: string): Promise<readonly string[] | undefined> {
    return this.#system.hosts(name.toLowerCase());
  }

  /**
   * The addresses of a name that the operator wrote, as any program of the machine finds them: by the
   * hosts file, search domains, mDNS, and whatever else is set up. They are not kept, since nothing
   * says for how long they hold; the system keeps what it can.
   */
  async system(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const look = async () => ({ records: await this.#system.lookup(name), ttl: 0 });
    const { records } = await this.#cache.get(`system ${name}`, signal, look);
    return records as readonly string[];
  }
}
