/**
 * Where ports are looked for: below those that systems choose from when nobody names one, so that no
 * connection and no listener of another test comes by it between our choice and its use.
 */
const [FIRST, LAST] = [10_000, 32_767];

/** A port of the loopback that nobody listens on now. */
export function freePort(): number {
  for (let attempt = 1;; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || attempt === 100) throw error;
    }
  }
}

/**
 * What starts on ports that were free a moment ago, and rejects when it cannot: started anew, for
 * another program may take a port between our choice and the server's.
 */
export async function onFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}
