import { type ProxyProgram, substituted } from "./reverse_proxy.ts";

/** Caddy, with a certificate that it was given. */
export const caddy: ProxyProgram = {
  program: "caddy",
  files(printed, { ports, certificate }) {
    return {
      "Caddyfile": substituted(printed, [
        [
          "\n{\n",
          `\n{\nadmin off\ndefault_bind 127.0.0.1\nhttp_port ${ports.plain}\nhttps_port ${ports.tls}\n`,
        ],
        [
          "# tls /etc/caddy/example.test.pem /etc/caddy/example.test.key",
          `tls ${certificate.cert} ${certificate.key}`,
        ],
      ]),
    };
  },
  run: () => ["run", "--config", "Caddyfile"],
  check: () => ["validate", "--config", "Caddyfile"],
  env: ({ directory }) => ({
    HOME: directory,
    XDG_DATA_HOME: directory,
    XDG_CONFIG_HOME: directory,
  }),
};
