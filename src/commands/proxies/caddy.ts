import type { ProxyPlan } from "./plan.ts";
import { preface, type ReverseProxy, slowBodies, tcpAddress } from "./text.ts";

/** A whole Caddyfile. */
export const caddy: ReverseProxy = {
  title: "Caddy",
  // deno-lint-ignore no-control-regex
  forbidden: /[\x00-\x1f\x7f`{}]/,
  write(plan, origin) {
    const { name, names, bosh, script, endpoints, documents, patience, spare } = plan;
    const wildcards = names.some((name) => name.startsWith("*"));
    const head = preface(plan, {
      title: "Caddy in front of Causeway",
      origin,
      install: "/etc/caddy/Caddyfile",
      test: "caddy validate --config /etc/caddy/Caddyfile",
      apply: "systemctl reload caddy (which ends WebSocket sessions; clients come back)",
      change: [
        "Change: nothing. Caddy gets certificates by itself, sends plain HTTP to HTTPS, and speaks HTTP/2. For a",
        "certificate of your own, write tls with its files, as below.",
        ...wildcards
          ? [
            "For names with * Caddy needs either that or a DNS module for its certificate authority.",
          ]
          : [],
        ...slowBodies(plan, "Caddy"),
      ],
      user: "caddy",
    });
    const paths = [...endpoints, ...documents].join(" ");
    return `${head}
${bosh && script ? LOG : ""}${names.join(", ")} {
	# tls /etc/caddy/${name}.pem /etc/caddy/${name}.key

	@causeway path ${paths}
	handle @causeway {
${
      bosh
        ? `		# gloox sends requests behind one that is held, and Caddy does not read them before that is answered.
		# Told that the connection closes, it takes one for each request.
		@one_request header User-Agent *gloox*
		header @one_request Connection close

`
        : ""
    }		# Caddy sets X-Forwarded-For and X-Forwarded-Proto, whatever a client wrote there, and keeps Host.
		reverse_proxy ${address(plan)} {
			header_up -Forwarded
			transport http {
				# Longer than a request is held (bosh.max_wait).
				response_header_timeout ${patience}s
				# Causeway keeps connections that are not used for longer.
				keepalive ${spare === 0 ? "off" : `${spare}s`}
				compression off
			}
		}
	}

	handle {
		respond 404
	}
}
`;
  },
};

/** Caddy writes down requests that fail. */
const LOG = `{
	# What Caddy logs of a request that failed is without the query, which holds a session's id in requests by GET.
	log {
		format filter {
			wrap json
			fields {
				request>uri regexp [?].* ?
			}
		}
	}
}

`;

function address(plan: ProxyPlan): string {
  const { backend } = plan;
  return tcpAddress(plan) ?? ("unix" in backend ? quoted(`unix/${backend.unix}`) : "");
}

/** A word of the configuration. */
function quoted(text: string): string {
  return /^[\w/.@-]+$/.test(text) ? text : `\`${text}\``;
}
