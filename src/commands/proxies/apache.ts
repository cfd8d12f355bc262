import { pathPattern, preface, type ReverseProxy, tcpAddress } from "./text.ts";

/** The file of a site. */
export const apache: ReverseProxy = {
  title: "Apache",
  // It is part of a URL there.
  forbidden: /[^\w/.~@+=-]/,
  write(plan, origin) {
    const { name, names, bosh, patience, silence, spare } = plan;
    const head = preface(plan, {
      title: "Apache in front of Causeway",
      origin,
      install: "/etc/apache2/sites-available/causeway.conf, then: a2ensite causeway",
      test: "apachectl configtest",
      apply: "systemctl reload apache2",
      change: [
        "Modules: a2enmod ssl headers http2 proxy proxy_http alias setenvif; Apache 2.4.47 or later, and mpm_event",
        "(a2dismod mpm_prefork; a2enmod mpm_event), since mpm_prefork has no HTTP/2.",
        "Change: SSLCertificateFile and SSLCertificateKeyFile.",
        "Each client that waits takes one thread of Apache, and as packaged there are 150. For two thousand clients",
        "write into mods-available/mpm_event.conf: ThreadsPerChild 100, ServerLimit 20, MaxRequestWorkers 2000.",
        "Apache does not tell Causeway of a client that left, so its session ends up to bosh.max_wait later.",
      ],
      user: "www-data",
    });
    const [first, ...others] = [name, ...names.filter((other) => other !== name)];
    const aliases = others.length > 0 ? `    ServerAlias ${others.join(" ")}\n` : "";
    const backend = "unix" in plan.backend
      ? `unix:${plan.backend.unix}|http://localhost`
      : `http://${tcpAddress(plan)}`;
    const unused = spare === 0 ? "disablereuse=On" : `ttl=${spare}`;
    const timeout = Math.max(patience, silence);
    return `${head}
# Without the query, which holds a session's id in requests by GET.
LogFormat "%a %t \\"%m %U %H\\" %>s %O \\"%{User-Agent}i\\"" causeway

<VirtualHost *:80>
    ServerName ${first}
${aliases}    CustomLog \${APACHE_LOG_DIR}/causeway.log causeway
    <Location "/">
        Redirect 308 "https://%{SERVER_NAME}%{REQUEST_URI}"
    </Location>
</VirtualHost>

<VirtualHost *:443>
    ServerName ${first}
${aliases}    CustomLog \${APACHE_LOG_DIR}/causeway.log causeway
    SSLEngine on
    SSLCertificateFile    /etc/letsencrypt/live/${name}/fullchain.pem
    SSLCertificateKeyFile /etc/letsencrypt/live/${name}/privkey.pem
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    Protocols h2 http/1.1

    # Whatever a client wrote into these counts for nothing. Where another proxy is in front of this one, let
    # mod_remoteip find the client.
    ProxyAddHeaders Off
    RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}"
    RequestHeader set X-Forwarded-Proto https
    RequestHeader unset X-Forwarded-Host
    RequestHeader unset Forwarded
    # host-meta is told for the domain that was asked for.
    ProxyPreserveHost On

    # Compression would make it possible to guess what is in a chat.
    RequestHeader unset Accept-Encoding
${
      bosh
        ? `    # gloox sends requests behind one that is held, and Apache does not read them before that is answered.
    # Told that the connection closes, it takes one for each request.
    BrowserMatch gloox nokeepalive
`
        : ""
    }
    # Longer than a request is held (bosh.max_wait).
    Timeout ${patience}
    # timeout: longer than that, and than a WebSocket is silent (websocket.ping_interval). ${
      spare === 0 ? "disablereuse" : "ttl"
    }: Causeway
    # keeps connections that are not used for longer. retry: it is tried again at once after a restart.
    ProxyPassMatch "${
      pathPattern(plan)
    }" "${backend}" timeout=${timeout} ${unused} retry=0 upgrade=websocket
    # Leave this out for a site of your own beside it, with a DocumentRoot.
    RedirectMatch 404 ".*"
</VirtualHost>
`;
  },
};
