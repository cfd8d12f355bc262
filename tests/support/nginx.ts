import { join } from "node:path";
import { type ProxyProgram, substituted } from "./reverse_proxy.ts";

/** nginx, in one process. */
export const nginx: ProxyProgram = {
  program: "nginx",
  files(printed, { directory, ports, certificate }) {
    return {
      "causeway.conf": substituted(printed, [
        ["listen 80;", `listen 127.0.0.1:${ports.plain};`],
        ["    listen [::]:80;\n", ""],
        ["listen 443 ssl http2;", `listen 127.0.0.1:${ports.tls} ssl http2;`],
        // The same without TLS, for tests that look at what goes by.
        ["listen [::]:443 ssl http2;", `listen 127.0.0.1:${ports.clear};`],
        ["/etc/letsencrypt/live/example.test/fullchain.pem", certificate.cert],
        ["/etc/letsencrypt/live/example.test/privkey.pem", certificate.key],
        ["/var/log/nginx/", `${directory}/`],
      ]),
      "nginx.conf": `
        daemon off;
        master_process off;
        pid nginx.pid;
        events { worker_connections 64; }
        http {
          client_body_temp_path body;
          proxy_temp_path proxy;
          fastcgi_temp_path fastcgi;
          uwsgi_temp_path uwsgi;
          scgi_temp_path scgi;
          gzip on;
          gzip_types *;
          include ${join(directory, "causeway.conf")};
        }`,
    };
  },
  run: ({ directory }) => ["-p", directory, "-c", "nginx.conf", "-e", "stderr"],
  check: ({ directory }) => ["-t", "-p", directory, "-c", "nginx.conf", "-e", "stderr"],
};
