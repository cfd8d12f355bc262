import { Connection } from "./connection.ts";
import { Router } from "./router.ts";

/** Connections at once; one more is told so and closed. */
const MAX_CONNECTIONS = 100;

/** A running demo server. */
export interface DemoServer {
  /** The TCP port that it listens on. */
  readonly port: number;
  /** Ends every stream with `system-shutdown`, stops listening, and settles when all is closed. */
  close(): Promise<void>;
}

/**
 * Starts a small XMPP server for the domain `localhost`: plain TCP, accounts
 * alice and bob whose passwords are their names, and anonymous guests. It is for
 * trying things out on one machine and keeps everything in memory. Port 0 is any
 * free one.
 *
 * Throws what `Deno.listen` throws when it cannot listen there.
 */
export function startDemoServer(
  options: { readonly hostname: string; readonly port: number },
): DemoServer {
  const listener = Deno.listen(options);
  const router = new Router();
  const connections = new Map<Connection, Promise<void>>();

  async function accept(): Promise<void> {
    for await (const conn of listener) {
      conn.setNoDelay();
      const connection = new Connection(conn, router);
      const served = connection.serve().finally(() => connections.delete(connection));
      connections.set(connection, served);
      if (connections.size > MAX_CONNECTIONS) connection.end("resource-constraint");
    }
  }

  const accepting = accept();
  return {
    port: listener.addr.port,
    async close() {
      listener.close();
      await accepting;
      for (const connection of connections.keys()) connection.end("system-shutdown");
      await Promise.all(connections.values());
    },
  };
}
