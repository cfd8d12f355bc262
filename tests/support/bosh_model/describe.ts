import type { BoshAction } from "../../../src/protocol/bosh/actions.ts";
import type { SessionRequest } from "../../../src/protocol/bosh/body.ts";

const decoder = new TextDecoder();

export function describeRequest({ rid, key, newkey, content, failures, ...more }: SessionRequest) {
  const { ask, stream, ack, namesDomain } = more;
  const words = [
    `rid ${rid}`,
    ask.type === "nothing" ? "" : JSON.stringify(ask),
    stream === undefined ? "" : `stream ${stream}`,
    ack === undefined ? "" : `ack ${ack}`,
    key === undefined ? "" : `key ${key}`,
    newkey === undefined ? "" : `newkey ${newkey}`,
    namesDomain ? "to" : "",
    decoder.decode(content),
    failures.join(""),
  ];
  return words.filter((word) => word !== "").join(" ");
}

export function describeAction(action: BoshAction): string {
  switch (action.type) {
    case "respond":
      return `answer ${action.request}: ${action.status} ${decoder.decode(action.body)}`;
    case "open-stream":
      return `open ${action.stream} ${JSON.stringify(action.opening)}`;
    case "restart-stream":
      return `restart ${action.stream}`;
    case "send":
      return `send ${action.stream} ${decoder.decode(action.content)}`;
    case "close-stream":
      return `${action.clean ? "close" : "drop"} ${action.stream}`;
    case "flow":
      return `flow ${action.stream} ${action.open ? "open" : "closed"}`;
    case "acknowledged":
      return `acknowledged ${action.rid}`;
    case "undelivered":
      return `undelivered ${action.payloads.map(({ bytes }) => decoder.decode(bytes)).join("")}`;
    case "ended":
      return `ended ${action.condition ?? "well"}: ${action.reason}`;
    default:
      return action satisfies never;
  }
}
