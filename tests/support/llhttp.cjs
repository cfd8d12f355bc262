/*
 * Reads HTTP with llhttp as Node's server runs it. Each line of the input is a connection's octets in
 * base64; each line of the output says in JSON what was seen of them:
 * `{ requests: [{ method, target, version, fields, body, complete }], error, rest }`.
 * `fields` are names and values in turn, `body` and `rest` in base64; `error` is llhttp's code.
 */
const process = require("node:process");
const { Buffer } = require("node:buffer");

// What `node:http` is built on. Its server would add a connection and its timing, and no certainty.
process.removeAllListeners("warning");
const { HTTPParser, allMethods, methods } = process.binding("http_parser");

function read(octets) {
  const requests = [];
  let early = [];
  let url = "";
  let body = [];
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, 1 << 20, HTTPParser.kLenientNone);
  // Comes for the first part of many fields, and for trailers.
  parser[HTTPParser.kOnHeaders] = (fields, part) => {
    early = early.concat(fields);
    url += part;
  };
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, fields, method, part) => {
    requests.push({
      method: (allMethods ?? methods)[method],
      target: url + (part ?? ""),
      version: `${major}.${minor}`,
      fields: early.concat(fields ?? []),
      body: "",
      complete: false,
    });
    early = [];
    url = "";
    body = [];
  };
  parser[HTTPParser.kOnBody] = (piece) => body.push(Buffer.from(piece));
  parser[HTTPParser.kOnMessageComplete] = () => {
    const last = requests.at(-1);
    last.body = Buffer.concat(body).toString("base64");
    last.complete = true;
    early = [];
    url = "";
  };
  const result = parser.execute(octets);
  parser.close();
  const failed = result instanceof Error;
  // Once a request asks for another protocol, Node shows an error only by what is left unread.
  const hidden = !failed && result < octets.length && requests.at(-1)?.complete === false;
  return {
    requests,
    error: failed ? result.code : hidden ? "hidden" : undefined,
    // Less than all is read where another protocol begins.
    rest: failed || result === octets.length ? "" : octets.subarray(result).toString("base64"),
  };
}

let pending = "";
process.stdin.setEncoding("latin1");
process.stdin.on("data", (text) => {
  const lines = (pending + text).split("\n");
  pending = lines.pop();
  const answers = lines.map((line) => `${JSON.stringify(read(Buffer.from(line, "base64")))}\n`);
  if (answers.length > 0) process.stdout.write(answers.join(""));
});
