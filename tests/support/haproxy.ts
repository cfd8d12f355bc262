import { type ProxyProgram, substituted } from "./reverse_proxy.ts";

/** HAProxy; its log is its output. */
export const haproxy: ProxyProgram = {
  program: "haproxy",
  files(printed, { ports, certificate }) {
    return {
      "haproxy.cfg": substituted(printed.replace(/^ {4}chroot .*\n/m, ""), [
        ["    user haproxy\n    group haproxy\n", ""],
        ["log /dev/log local0", "log stdout format raw local0"],
        ["bind :80,:::80 ", `bind 127.0.0.1:${ports.plain} `],
        ["bind :443,:::443 ", `bind 127.0.0.1:${ports.tls} `],
        ["/etc/haproxy/example.test.pem", certificate.both],
      ]),
    };
  },
  run: () => ["-db", "-f", "haproxy.cfg"],
  check: () => ["-c", "-f", "haproxy.cfg"],
};
