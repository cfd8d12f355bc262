/** The slow world: the sockets front, the connector over TCP, and loopback between them and the others. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Config } from "../../src/config/config.ts";
import { ConnectionManager } from "../../src/manager.ts";
import { freePort } from "../support/free_port.ts";
import { JumpingClock } from "../support/manager.ts";
import {
  BIND,
  MECHANISMS,
  STARTTLS,
  streamFeatures,
  streamHeader,
} from "../support/upstream_server.ts";
import { Wire } from "../support/wire.ts";
import { Happenings, type Line, SERVERS, type World, worldConfig } from "./world.ts";

export class RealWorld implements World {
  readonly name = "sockets";
  readonly clock = new JumpingClock();
  readonly happenings = new Happenings();
  readonly manager: ConnectionManager;
  readonly connections = undefined;
  #port = 0;

  private constructor(config: Config) {
    this.manager = new ConnectionManager({
      config,
      clock: this.clock,
      onEvent: (event) => this.happenings.hear(event),
    });
  }

  static async begin(): Promise<RealWorld> {
    const servers = createServer({ allowHalfOpen: true }, serve);
    await new Promise<void>((resolve) => servers.listen(0, "127.0.0.1", 4_096, resolve));
    const { port: open } = servers.address() as AddressInfo;
    const config = worldConfig({ open, closed: freePort() });
    const world = new RealWorld(config);
    const listener = await world.manager.listen({
      ...config.listen[0]!,
      at: { address: "127.0.0.1", port: 0 },
      server: "sockets",
    });
    world.#port = Number(new URL(listener.url).port);
    return world;
  }

  connect(): Promise<Line> {
    return Wire.connect({ host: "127.0.0.1", port: this.#port });
  }

  async turn(): Promise<void> {
    // The network is quicker than this, nearly always; nothing depends on it.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const HEADER = /<stream:stream [^>]*to='([^']*)'[^>]*>/;

/** Is all of {@link SERVERS} that accept connections. */
function serve(socket: Socket): void {
  let text = "";
  let domain: string | undefined;
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    for (let header; (header = HEADER.exec(text)) !== null;) {
      text = text.slice(header.index + header[0].length);
      const isFirst = domain === undefined;
      domain = header[1]!;
      if (domain !== SERVERS.mute) greet(socket, domain, isFirst);
    }
    if (text === "" || domain === undefined) return;
    const said = text;
    text = "";
    if (domain === SERVERS.lost) socket.destroy();
    else if (domain === SERVERS.untls) socket.write(`${PROCEED}This is not TLS.`);
    else if (said.startsWith("<auth")) socket.write(SUCCESS);
    else if (!socket.writableEnded) socket.write(said);
  });
}

function greet(socket: Socket, domain: string, isFirst: boolean): void {
  const header = streamHeader("s", `from='${domain}' version='1.0'`);
  if (domain === SERVERS.gone) {
    return void socket.end(
      `${header}<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>` +
        "</stream:error></stream:stream>",
    );
  }
  const features = domain === SERVERS.untls ? STARTTLS : isFirst ? MECHANISMS : BIND;
  socket.write(header + streamFeatures(features));
}

const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
