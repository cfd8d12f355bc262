import { type ProxyProgram, substituted } from "./reverse_proxy.ts";

const MODULES = [
  ...["mpm_event", "authz_core", "ssl", "headers", "http2", "proxy", "proxy_http", "alias"],
  ...["setenvif", "socache_shmcb", "filter", "deflate", "reqtimeout"],
];

/** Apache in one process, with the modules that what is printed names, and some that Debian's has by itself. */
export const apache: ProxyProgram = {
  program: "apache2",
  files(printed, { ports, certificate }) {
    return {
      "causeway.conf": substituted(printed, [
        ["<VirtualHost *:80>", `<VirtualHost *:${ports.plain}>`],
        ["<VirtualHost *:443>", `<VirtualHost *:${ports.tls}>`],
        ["/etc/letsencrypt/live/example.test/fullchain.pem", certificate.cert],
        ["/etc/letsencrypt/live/example.test/privkey.pem", certificate.key],
      ]),
      "apache2.conf": `
        ${
        MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`)
          .join("")
      }
        ServerName localhost
        PidFile apache2.pid
        Mutex file:.
        ErrorLog error.log
        Timeout 60
        ${Deno.uid() === 0 ? "User www-data\nGroup www-data" : ""}
        StartServers 1
        ServerLimit 1
        ThreadsPerChild 25
        MaxRequestWorkers 25
        MinSpareThreads 1
        MaxSpareThreads 25
        SSLSessionCache shmcb:cache
        AddOutputFilterByType DEFLATE text/xml
        Listen 127.0.0.1:${ports.plain}
        Listen 127.0.0.1:${ports.tls}
        Include causeway.conf`,
    };
  },
  run: ({ directory }) => ["-X", "-d", directory, "-f", "apache2.conf"],
  check: ({ directory }) => ["-t", "-d", directory, "-f", "apache2.conf"],
  env: ({ directory }) => ({ APACHE_LOG_DIR: directory }),
};
