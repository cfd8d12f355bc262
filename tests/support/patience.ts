/** Milliseconds after which a test gives up on what it waits for. */
const PATIENCE = 30_000;

/** Keeps what comes until it is asked for. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #takers: ((item: T) => void)[] = [];

  put(item: T): void {
    const taker = this.#takers.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  }

  take(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return patiently(new Promise((resolve) => this.#takers.push(resolve)), "something has come");
  }
}

/** The promise, or a rejection that says what did not come to be. */
export async function patiently<T>(promise: Promise<T>, what: string): Promise<T> {
  const impatience = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => impatience.reject(new Error(`after ${PATIENCE / 1000} s it is not so that ${what}`)),
    PATIENCE,
  );
  try {
    return await Promise.race([promise, impatience.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again until there is something; a big program may need more patience to start. */
export async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  what: string,
  patience = PATIENCE,
): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) {
      throw new Error(`after ${patience / 1000} s it is not so that ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
