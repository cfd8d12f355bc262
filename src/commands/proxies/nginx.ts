import type { ProxyPlan } from "./plan.ts";
import { pathPattern, preface, type ReverseProxy, tcpAddress } from "./text.ts";

/** The longest name that nginx has room for without being told. */
const LONGEST_NAME = 46;

/** A file for `conf.d`, so that it may hold what belongs into `http { }`. */
export const nginx: ReverseProxy = {
  title: "nginx",
  // deno-lint-ignore no-control-regex
  forbidden: /[\x00-\x1f\x7f]/,
  write(plan, origin) {
    const { name, names, bosh, script } = plan;
    const head = preface(plan, {
      title: "nginx in front of Causeway",
      origin,
      install: "/etc/nginx/conf.d/causeway.conf",
      test: "nginx -t",
      apply: "systemctl reload nginx",
      change: [
        "Change: ssl_certificate and ssl_certificate_key. If there is a server { } for these names already, move the",
        "locations below into it, but for the last one, and leave out the two that are here.",
        "Each client that waits takes two connections of nginx: worker_connections in nginx.conf, 768 as packaged,",
        "must be more than twice the clients of one worker, and worker_rlimit_nofile as large.",
        ...bosh && script
          ? [
            "error.log shows whole requests, also those by GET with a session's id: let nobody else read it.",
          ]
          : [],
      ],
      user: "www-data",
    });
    const long = names.some((name) => name.length > LONGEST_NAME)
      ? "server_names_hash_bucket_size 512;\n\n"
      : "";
    return `${head}
${long}${upstream(plan)}
# A connection may be upgraded to WebSocket and to nothing else.
map $http_upgrade $causeway_upgrade {
    default       "";
    ~*^websocket$ websocket;
}
map $causeway_upgrade $causeway_connection {
    default   "";
    websocket upgrade;
}

# Without the query, which holds a session's id in requests by GET.
log_format causeway '$remote_addr [$time_local] "$request_method $uri $server_protocol" '
                    '$status $body_bytes_sent $request_time "$http_user_agent"';

server {
    listen 80;
    listen [::]:80;
    server_name ${names.join(" ")};
    access_log /var/log/nginx/causeway.log causeway;
    return 308 https://$host$request_uri;
}

server {
    # nginx 1.25.1 and later would rather have "http2 on;" on a line of its own.
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name ${names.join(" ")};
    ssl_certificate     /etc/letsencrypt/live/${name}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/${name}/privkey.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    access_log /var/log/nginx/causeway.log causeway;

    location ~ ${quoted(pathPattern(plan))} {
${bosh ? ONE_REQUEST : ""}${passing(plan)}    }
${
      bosh
        ? `
    location @causeway_one_request {
        keepalive_timeout 0;
        # As above.
${passing(plan).replace(/^\s*#.*\n/gm, "")}    }
`
        : ""
    }
    location / {
        return 404;
    }
}
`;
  },
};

const ONE_REQUEST =
  `        # gloox sends requests behind one that is held, and nginx does not read them before that is answered.
        # Told that the connection closes, it takes one for each request.
        error_page 418 = @causeway_one_request;
        if ($http_user_agent ~ "gloox") { return 418; }

`;

/** What is in each location. */
function passing({ patience, silence, maxBody }: ProxyPlan): string {
  return `        proxy_pass http://causeway;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $causeway_upgrade;
        proxy_set_header Connection $causeway_connection;
        # host-meta is told for the domain that was asked for.
        proxy_set_header Host $http_host;
        # Whatever a client wrote into these counts for nothing. Where another proxy is in front of this one,
        # let the real_ip module find the client: set_real_ip_from and real_ip_header.
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host "";
        proxy_set_header Forwarded "";
        # Longer than a request is held (bosh.max_wait) and than a WebSocket is silent (websocket.ping_interval).
        proxy_read_timeout ${Math.max(patience, silence)}s;
        # Answers leave as they come, and nothing of a chat is written to the disk; compression would make it
        # possible to guess what is in it. Requests are read whole before Causeway is troubled with them.
        proxy_buffering off;
        gzip off;
        # Twice of what Causeway takes (http.max_body): up to there its own answer says so, which pages may read.
        client_max_body_size ${2 * maxBody};
        client_body_buffer_size ${Math.min(maxBody, 1_048_576)};
        access_log /var/log/nginx/causeway.log causeway;
`;
}

function upstream(plan: ProxyPlan): string {
  const { backend, spare } = plan;
  const server = "unix" in backend ? quoted(`unix:${backend.unix}`) : tcpAddress(plan);
  const kept = spare === 0
    ? ""
    : `    # Connections for later requests; Causeway keeps them for longer.
    keepalive 64;
    keepalive_timeout ${spare}s;
`;
  return `upstream causeway {\n    server ${server};\n${kept}}\n`;
}

/** A word of the configuration. What it is for, an upstream or a pattern, knows no variables. */
function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}
