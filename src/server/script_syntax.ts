import type { Answer } from "./exchange.ts";

/**
 * A BOSH request inside a GET, for pages that cannot POST. There are two forms: `?data=…`, with
 * `&callback=…` for JSONP, which node-xmpp-bosh introduced, and the alternative script syntax of
 * XEP-0252, whose query is the bare `<body/>`.
 */
export type ScriptRequest =
  | LegibleRequest
  /** Not to be answered with anything of the query in it. */
  | { readonly type: "refused"; readonly reason: string };

/** One that holds a `<body/>`. */
export type LegibleRequest =
  | { readonly type: "data"; readonly body: Uint8Array }
  | { readonly type: "jsonp"; readonly body: Uint8Array; readonly callback: string }
  | { readonly type: "script"; readonly body: Uint8Array };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Whether the query of a GET holds a request in either form. */
export function isScriptRequest(query: string): boolean {
  return IS_SCRIPT.test(query) || /(?:^|&)(?:data|callback)=/.test(query);
}

/** Reads the query of a GET for which {@link isScriptRequest} holds. */
export function readScriptRequest(query: string): ScriptRequest {
  if (IS_SCRIPT.test(query)) {
    const body = percentDecoded(query);
    return body ? { type: "script", body } : { type: "refused", reason: NOT_DECODED };
  }
  const fields = new Map(
    query.split("&").map((field) => {
      const equals = field.indexOf("=");
      return equals < 0 ? [field, ""] : [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
  const callback = fields.get("callback");
  // It becomes part of a script: nothing but the name of a function may pass.
  if (callback !== undefined && !isIdentifierPath(callback)) {
    return { type: "refused", reason: "callback must be the name of a JavaScript function" };
  }
  const body = percentDecoded((fields.get("data") ?? "").replaceAll("+", " "));
  if (body === undefined) return { type: "refused", reason: NOT_DECODED };
  return callback === undefined ? { type: "data", body } : { type: "jsonp", body, callback };
}

/** The answer to a request whose page runs it as a script. */
export function scriptAnswer(
  request: LegibleRequest & { type: "jsonp" | "script" },
  body: Uint8Array,
  headers: Readonly<Record<string, string>>,
): Answer {
  const text = escaped(decoder.decode(body));
  const script = request.type === "script"
    ? `_BOSH_("${text}")`
    : `${request.callback}({"reply":"${text}"});`;
  return {
    // A script element hides every other status from its page.
    status: 200,
    headers: { ...headers, "cache-control": "no-store, no-cache", "pragma": "no-cache" },
    body: encoder.encode(script),
  };
}

/** XML, and nothing else that a query can be, begins so. */
const IS_SCRIPT = /^(?:%3c|<)/i;
const NOT_DECODED = "the query does not hold a <body/> in percent-encoding";

function isIdentifierPath(name: string): boolean {
  return name.length <= 128 && !RESERVED.test(name) &&
    /^[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*$/.test(name);
}

/** Words that no call can begin with (ECMA-262 §12.7.2); `while(…);` would run for ever. */
const RESERVED =
  /^(?:break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|export|extends|false|finally|for|function|if|import|in|instanceof|new|null|return|super|switch|throw|true|try|typeof|var|void|while|with)(?:\.|$)|^this$/;

/** The bytes that percent-encoding stands for; `undefined` when it is broken or empty. */
function percentDecoded(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x25) {
      if (code > 0x7f) return undefined;
      bytes[length++] = code;
      continue;
    }
    const digits = text.slice(at + 1, at + 3);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) return undefined;
    bytes[length++] = parseInt(digits, 16);
    at += 2;
  }
  return length === 0 ? undefined : bytes.subarray(0, length);
}

/**
 * XEP-0252 §2.3: what cannot stand in a JavaScript string, and every format character (category
 * Cf), which some browsers remove, is escaped.
 */
function escaped(text: string): string {
  return text.replace(/["\\\n\r\u2028\u2029<\p{Cf}]/gu, (character) => {
    switch (character) {
      case '"':
        return '\\"';
      case "\\":
        return "\\\\";
      case "\n":
        return "\\n";
      case "\r":
        return "\\r";
      case "<":
        // No answer can end a script element or begin a comment, wherever it is pasted.
        return "\\u003c";
      default:
        return [...Array(character.length).keys()]
          .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");
    }
  });
}
