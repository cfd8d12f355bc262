import type { ServeFlags } from "../config/overrides.ts";
import { nearest } from "../config/suggest.ts";

/** What the command line asks for. */
export type Invocation =
  | {
    readonly command: "serve";
    /** Of `--config`. */
    readonly file: string | undefined;
    readonly flags: ServeFlags;
  }
  | { readonly command: "check"; readonly file: string | undefined }
  | { readonly command: "demo" }
  | {
    readonly command: "doctor";
    readonly domain: string;
    /** Where clients find Causeway. */
    readonly url: string | undefined;
    /** Of `--config`. */
    readonly file: string | undefined;
    readonly json: boolean;
    readonly quick: boolean;
  }
  | {
    readonly command: "proxy";
    readonly proxy: ProxyName;
    /** Of `--config`. */
    readonly file: string | undefined;
    readonly flags: ServeFlags;
  }
  | { readonly command: "version" }
  | { readonly command: "help"; readonly text: string };

/** The reverse proxies that a configuration can be made for. */
export type ProxyName = typeof PROXIES[number];

const PROXIES = ["nginx", "caddy", "haproxy", "apache"] as const;

/** The command line is not one that Causeway knows. The message says what would be; exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Reads the command line (without the program's name). Throws {@link UsageError}. */
export function parseArguments(args: readonly string[]): Invocation {
  const { positionals, options } = readWords(args);
  const [word = "serve", ...operands] = positionals.map(({ value }) => value);
  const command = (Object.keys(COMMANDS) as Command[]).find((known) => known === word);
  if (command === undefined) {
    // After an option that nobody knows, the word may be its value.
    const before = options.filter(({ index }) => index < positionals[0]!.index);
    for (const option of before) checkOption(option, "serve");
    throw new UsageError(
      `there is no command ${JSON.stringify(word)}; ${meant(word, Object.keys(COMMANDS))}`,
    );
  }

  const given = new Map<string, string[]>();
  for (const option of options) {
    checkOption(option, command);
    given.set(option.name, [...given.get(option.name) ?? [], option.value ?? ""]);
  }
  if (given.has("help")) {
    return { command: "help", text: positionals.length > 0 ? COMMANDS[command].help : HELP };
  }
  if (given.has("version")) return { command: "version" };

  const most = command === "serve" || command === "demo" ? 0 : 1;
  if (operands.length > most) {
    throw new UsageError(
      `${command} does not take ${JSON.stringify(operands[most])}; write: ${
        COMMANDS[command].usage
      }`,
    );
  }
  switch (command) {
    case "serve":
      return { command, ...readSources(given) };
    case "check":
      return { command, file: operands[0] };
    case "demo":
      return { command };
    case "doctor":
      if (!operands[0]) {
        throw new UsageError(
          `doctor needs the name of a domain; write: ${COMMANDS[command].usage}`,
        );
      }
      return {
        command,
        domain: operands[0],
        url: given.get("url")?.at(-1),
        file: given.get("config")?.at(-1),
        json: given.has("json"),
        quick: given.has("quick"),
      };
    case "proxy":
      return { command, proxy: readProxy(operands[0]), ...readSources(given) };
    default:
      throw command satisfies never;
  }
}

/** What a configuration is made of, beside the environment. */
function readSources(
  given: ReadonlyMap<string, readonly string[]>,
): { readonly file: string | undefined; readonly flags: ServeFlags } {
  return {
    file: given.get("config")?.at(-1),
    flags: {
      listen: given.get("listen") ?? [],
      domain: given.get("domain") ?? [],
      logLevel: given.get("log-level")?.at(-1),
      logFormat: given.get("log-format")?.at(-1),
    },
  };
}

function readProxy(word: string | undefined): ProxyName {
  const proxy = PROXIES.find((known) => known === word);
  if (proxy !== undefined) return proxy;
  throw new UsageError(
    word === undefined
      ? `proxy needs the name of one; ${meant("", PROXIES)}`
      : `there is no proxy ${JSON.stringify(word)}; ${meant(word, PROXIES)}`,
  );
}

interface Option {
  /** Without hyphens, and in full where it was written short. */
  readonly name: string;
  /** As it was written. */
  readonly rawName: string;
  readonly value: string | undefined;
  /** The value stands in the same word, behind a `=`. */
  readonly inlineValue: boolean;
  /** Its place among the words. */
  readonly index: number;
}

interface Positional {
  readonly value: string;
  readonly index: number;
}

/**
 * Takes the words of a command line for what they are in every program, and judges nothing. (`parseArgs` of
 * `node:util` does the same; it takes a megabyte, in a process that has no other use for its module.)
 */
function readWords(
  args: readonly string[],
): { readonly positionals: Positional[]; readonly options: Option[] } {
  const positionals: Positional[] = [];
  const options: Option[] = [];
  let isOver = false;
  for (let index = 0; index < args.length; index++) {
    const word = args[index]!;
    if (word === "--" && !isOver) {
      isOver = true;
      continue;
    }
    const match = isOver ? null : /^(--?)(=?[^=]+)(?:=([^]*))?$/.exec(word);
    if (match === null) {
      positionals.push({ value: word, index });
      continue;
    }
    const [, hyphens, written = "", inline] = match;
    const name = hyphens === "-" && written === "h" ? "help" : written;
    const wantsValue = Object.hasOwn(OPTIONS, name) &&
      OPTIONS[name as keyof typeof OPTIONS].type === "string";
    const option = { name, rawName: `${hyphens}${written}`, index };
    const inlineValue = inline !== undefined;
    const value = inline ?? (wantsValue ? args[++index] : undefined);
    options.push({ ...option, value, inlineValue });
  }
  return { positionals, options };
}

function checkOption({ name, rawName, value, inlineValue }: Option, command: Command): void {
  const known = [...COMMANDS[command].options, "help", "version"];
  if (!known.includes(name)) {
    const right = meant(name, known, (option) => `--${option}`);
    throw new UsageError(`${command} has no option ${rawName}; ${right}`);
  }
  const takesValue = OPTIONS[name as keyof typeof OPTIONS].type === "string";
  if (!takesValue && value !== undefined) throw new UsageError(`${rawName} takes no value`);
  // A value that begins with a hyphen is nearly always the next option, after a value that was forgotten.
  if (takesValue && (!value || (!inlineValue && value.startsWith("-")))) {
    throw new UsageError(`${rawName} needs a value; write: ${COMMANDS[command].usage}`);
  }
}

function meant(word: string, known: readonly string[], show = (name: string) => name): string {
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean ${show(near)}?`;
  return `there are: ${known.map(show).join(", ")}`;
}

type Command = "serve" | "check" | "doctor" | "demo" | "proxy";

const OPTIONS = {
  config: { type: "string" },
  listen: { type: "string" },
  domain: { type: "string" },
  "log-level": { type: "string" },
  "log-format": { type: "string" },
  url: { type: "string" },
  json: { type: "boolean" },
  quick: { type: "boolean" },
  help: { type: "boolean" },
  version: { type: "boolean" },
} as const;

const HELP = `Causeway connects browsers to XMPP servers: BOSH and WebSocket on one port.

  causeway [serve] [OPTION]…   serve until SIGTERM or SIGINT
  causeway check [FILE]        is this configuration right?
  causeway doctor DOMAIN       what keeps clients from a domain, and what to do
  causeway demo                an XMPP server and a page to try Causeway with
  causeway proxy NAME          the configuration of a reverse proxy in front
  causeway --version
  causeway COMMAND --help      more about a command

Exit status: 0 success, 1 failure at work, 2 wrong usage or configuration.
`;

const COMMANDS: Readonly<
  Record<
    Command,
    { readonly usage: string; readonly options: readonly string[]; readonly help: string }
  >
> = {
  serve: {
    usage:
      "causeway serve [--config FILE] [--listen ADDRESS:PORT]… [--domain NAME]… [--log-level L] [--log-format F]",
    options: ["config", "listen", "domain", "log-level", "log-format"],
    help: `causeway [serve] [OPTION]…

Serves until SIGTERM or SIGINT; SIGHUP reads certificates anew. Flags override
environment variables, which override the file, which overrides the defaults.
Without all of them it listens on 127.0.0.1:5280 and serves every domain.

  --config FILE          configuration (TOML); else that of CAUSEWAY_CONFIG; else none
  --listen ADDRESS:PORT  where to listen; also [IPV6]:PORT and unix:PATH. May be
                         repeated; replaces all listeners of the file
  --domain NAME          a domain to serve: example.org, *.example.org or * (every
                         domain). Its server is found by SRV lookup, or said with
                         NAME=xmpp://host:port or NAME=xmpps://host:port. May be
                         repeated; joins the domains of the file, and for a domain
                         that the file has replaces only where it connects
  --log-level L          debug, info, warn or error
  --log-format F         text or json

Every key of the file can be set by an environment variable: max_wait of [bosh] by
CAUSEWAY_BOSH_MAX_WAIT, and so on. Lists are separated by commas. CAUSEWAY_LISTEN
and CAUSEWAY_DOMAINS take what --listen and --domain take, separated by commas.
`,
  },
  check: {
    usage: "causeway check [FILE]",
    options: [],
    help: `causeway check [FILE]

Tells whether a configuration is right: FILE, else that of CAUSEWAY_CONFIG, else
the defaults, together with the CAUSEWAY_* environment variables. Every mistake is
printed with its line and what would be right. Exit status 0: right; 2: not.
`,
  },
  doctor: {
    usage: "causeway doctor DOMAIN [--url ADDRESS] [--config FILE] [--json] [--quick]",
    options: ["url", "config", "json", "quick"],
    help: `causeway doctor DOMAIN [OPTION]…

Walks the way from here to the domain's XMPP servers: SRV records, the addresses of
every server, TCP, TLS (whose certificate, until when), stream, features and SASL
mechanisms. With --url also the way that clients come: host-meta, what pages of
other origins may do (CORS), a BOSH session and a request that is held for as long
as it may be, a WebSocket and its stream. Each line says what was looked at, what
came of it and how long it took; below what is bad stands what to do. Nobody logs
in, and the sessions that are opened are closed again.

  --url ADDRESS   where clients find Causeway: https://chat.example.org, or a whole
                  address of BOSH (https:) or WebSocket (wss:)
  --config FILE   configuration (TOML); else that of CAUSEWAY_CONFIG; else none. What
                  it says of the domain holds here too: connect, tls, ca …
  --json          for programs: one object a line, {"step", "target", "result": "ok",
                  "warning", "bad" or "skipped", "detail", "cure", "ms"}; the last two
                  only where there are such
  --quick         no request is held, which else takes bosh.max_wait (60 seconds)

Exit status: 0 nothing is bad, 1 something is, 2 wrong usage or configuration.
`,
  },
  demo: {
    usage: "causeway demo",
    options: [],
    help: `causeway demo

Runs an embedded XMPP server, Causeway in front of it and a page to try them with,
on loopback only. Nothing else is needed.
`,
  },
  proxy: {
    usage:
      "causeway proxy nginx|caddy|haproxy|apache [--config FILE] [--listen ADDRESS:PORT]… [--domain NAME]…",
    options: ["config", "listen", "domain"],
    help: `causeway proxy nginx|caddy|haproxy|apache [OPTION]…

Prints a whole configuration of this reverse proxy that fits the configuration of
Causeway: its listener, paths, domains, timeouts and sizes. The first lines say where
to put it, how to test it and what to change. What you should know about it comes on
standard error too.

  --config FILE          configuration (TOML); else that of CAUSEWAY_CONFIG; else none
  --listen ADDRESS:PORT  where Causeway listens for the proxy; also [IPV6]:PORT and
                         unix:PATH. Else: the file's listener without TLS that serves
                         most, the first of several
  --domain NAME          a domain that is served, as with causeway serve
`,
  },
};
