import type { ProxyPlan } from "./plan.ts";
import { preface, type ReverseProxy, slowBodies, tcpAddress } from "./text.ts";

/** A whole `haproxy.cfg`. */
export const haproxy: ReverseProxy = {
  title: "HAProxy",
  // It takes a variable of the environment for what it says, in addresses and whatever the quotes.
  // deno-lint-ignore no-control-regex
  forbidden: /[\x00-\x1f\x7f$\\]/,
  write(plan, origin) {
    const { name, bosh, endpoints, documents, patience, silence } = plan;
    const isUnix = "unix" in plan.backend;
    const head = preface(plan, {
      title: "HAProxy in front of Causeway",
      origin,
      install: "/etc/haproxy/haproxy.cfg",
      test: "haproxy -c -f /etc/haproxy/haproxy.cfg",
      apply: "systemctl reload haproxy",
      change: [
        "Change: crt, a file with certificate, chain and key in one, or a directory of such files:",
        `cat fullchain.pem privkey.pem > /etc/haproxy/${name}.pem`,
        ...slowBodies(plan, "HAProxy"),
      ],
      user: "haproxy",
    });
    const paths = [...endpoints, ...documents].join(" ");
    return `${head}
global
    log /dev/log local0
${isUnix ? "    # No chroot: the unix socket is outside of it." : "    chroot /var/lib/haproxy"}
    user haproxy
    group haproxy
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    log global
    # Without the query, which holds a session's id in requests by GET.
    log-format '%ci:%cp [%tr] %ft %b %TR/%Tw/%Tc/%Tr/%Ta %ST %B %ts "%HM %HPO %HV"'
    timeout connect 5s
    # For a whole head, and for a body or its first 16 KiB, before Causeway is troubled with it.
    timeout http-request 20s
    option http-buffer-request
    timeout http-keep-alive 75s
    # Longer than a request is held (bosh.max_wait).
    timeout client ${patience}s
    timeout server ${patience}s
    # Longer than a WebSocket is silent (websocket.ping_interval).
    timeout tunnel ${silence}s
    timeout client-fin 10s
    timeout server-fin 10s
    # Causeway hears at once of a client that leaves. (Here, because frontends have to know it too.)
    option abortonclose

frontend http
    bind :80,:::80 v6only
    http-request redirect scheme https code 308

frontend https
    # WebSocket comes by HTTP/1.1 and by HTTP/2 (RFC 8441).
    bind :443,:::443 v6only ssl crt /etc/haproxy/${name}.pem alpn h2,http/1.1
    # Whatever a client wrote into these counts for nothing. Host stays: host-meta is told for the domain that
    # was asked for.
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    http-request del-header X-Forwarded-Host
    http-request del-header Forwarded
${
      bosh
        ? `    # gloox sends requests behind one that is held, and HAProxy does not read them before that is answered.
    # Told that the connection closes, it takes one for each request.
    http-request set-var(txn.one_request) bool(true) if { req.hdr(User-Agent) -m sub gloox }
    http-after-response set-header Connection close if { var(txn.one_request) -m bool }
`
        : ""
    }    http-request return status 404 unless { path ${paths} }
    default_backend causeway

backend causeway
    # The PROXY protocol is not understood: no send-proxy.
    server causeway ${address(plan)}
`;
  },
};

function address(plan: ProxyPlan): string {
  const { backend } = plan;
  return tcpAddress(plan) ?? ("unix" in backend ? quoted(`unix@${backend.unix}`) : "");
}

/** A word of the configuration, as shells have it. */
function quoted(text: string): string {
  return /^[\w/.@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
