import net from "node:net";
import tls from "node:tls";
import { authority } from "./certificates/certificates.ts";

/**
 * Connects to where a URL of the tests points to: loopback, also for names, none of which is looked up.
 * With `https:` there is TLS with whoever the tests' authority knows by that name. `from` is an address of
 * loopback too.
 */
export function dial(
  { protocol, hostname, port }: URL,
  { from, alpn }: { readonly from?: string | undefined; readonly alpn?: string } = {},
): net.Socket {
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  const host = net.isIP(address) ? address : "127.0.0.1";
  const tcp = net.connect({
    host,
    port: Number(port || 80),
    ...(from === undefined ? {} : { localAddress: from }),
  });
  tcp.setNoDelay(true);
  return protocol !== "https:" ? tcp : tls.connect({
    socket: tcp,
    ca: authority(),
    servername: hostname,
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
  });
}
