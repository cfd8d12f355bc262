import type { ListenConfig, TlsConfig } from "../config/config.ts";
import { joinHostPort } from "../config/address.ts";

/** One listener at work. */
export interface Listener {
  /** `http://address:port`, or `http+unix:path`, for people. */
  readonly url: string;
  /** Connections of clients, TLS handshakes among them; missing: nobody knows. */
  readonly connections?: number;
  /** Accepts nothing more; settles when every exchange has been answered. */
  close(): Promise<void>;
  /** For connections that come from here on; nothing, where there is no TLS. */
  replaceCertificates(tls: TlsConfig): void;
}

/** A listener's address for people; `port` is the one that it got. */
export function listenerUrl(
  { at, tls }: Pick<ListenConfig, "at" | "tls">,
  port: number,
): string {
  const scheme = tls === undefined ? "http" : "https";
  if ("unix" in at) return `${scheme}+unix:${at.unix}`;
  if ("fd" in at) return `${scheme}+fd:${at.fd}`;
  return `${scheme}://${joinHostPort(at.address, port)}`;
}

/** A socket that nobody listens on is what a crash left behind; it would be in the way. */
export async function removeStaleSocket(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    // A file that is no socket refuses as well, and is somebody's.
    if (!(error instanceof Deno.errors.ConnectionRefused)) return;
    if ((await Deno.lstat(path)).isSocket) await Deno.remove(path);
  }
}
