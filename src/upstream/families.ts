import type { Clock } from "../clock.ts";

type Family = 4 | 6;

/** Milliseconds for which a family that was silent comes second. */
const REMEMBERED = 300_000;

/** No more of a host's time than this part goes into a family when the other one has not been tried. */
const SHARE = 1 / 4;

/**
 * Which address family is tried first. Where one leads nowhere (IPv6 without a way to the Internet, most
 * often) and nobody says so, the first session notices and the others are spared it. That is RFC 8305 with
 * one attempt after the other: attempts side by side would show servers many connections that nobody uses.
 */
export class Families {
  readonly #clock: Clock;
  #silent: Family | undefined;
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The addresses of a host, those of a silent family last. */
  arrange(addresses: readonly string[]): string[] {
    const last = (address: string) => Number(this.#isSilent(familyOf(address)));
    return [...addresses].sort((a, b) => last(a) - last(b));
  }

  /** Milliseconds for an attempt on the first of these addresses; `whole` is what an attempt may have. */
  patience([first, ...others]: readonly string[], whole: number): number {
    if (first === undefined) return whole;
    const family = familyOf(first);
    const hope = others.some((other) =>
      familyOf(other) !== family && !this.#isSilent(familyOf(other))
    );
    return hope ? whole * SHARE : whole;
  }

  /** There was no answer from an address while there was hope for the other family. */
  silent(address: string): void {
    this.#silent = familyOf(address);
    this.#until = this.#clock.now() + REMEMBERED;
  }

  #isSilent(family: Family): boolean {
    return family === this.#silent && this.#clock.now() < this.#until;
  }
}

function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}
