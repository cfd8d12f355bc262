/**
 * A key sequence (XEP-0124 §15): a client that sends `newkey` proves with every later request that
 * it is the one who sent it, because only it knows what hashes to the key before.
 */
export class KeySequence {
  readonly #sha1: (text: string) => string;
  /** What the next key must hash to, in lower case; `undefined`: the session is not keyed. */
  #expected: string | undefined;

  /** `sha1` gives the digest of a text's UTF-8 as hexadecimal digits. */
  constructor(sha1: (text: string) => string) {
    this.#sha1 = sha1;
  }

  /**
   * Takes the keys of the next request in rid order; false when the request may not be processed.
   * §15.4: the SHA-1 of `key` MUST be the `newkey`, or else the `key`, of the request before.
   */
  accepts(key: string | undefined, newkey: string | undefined): boolean {
    if (this.#expected !== undefined) {
      // The text is hashed as it was received; hexadecimal digits are compared in either case.
      if (key === undefined || !equal(this.#sha1(key).toLowerCase(), this.#expected)) return false;
      this.#expected = (newkey ?? key).toLowerCase();
    } else if (newkey !== undefined) {
      this.#expected = newkey.toLowerCase();
    }
    return true;
  }
}

/** Takes as long for any two texts of one length. */
function equal(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
