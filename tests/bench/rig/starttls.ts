/**
 * The stub's TLS: a server at `example.test` that demands STARTTLS, and passes on to the stub what
 * is in it.
 *
 *     deno run -A starttls.ts PORT STUB_PORT
 *
 * Its first line says in which file the authority is that its certificate is of.
 */
import net from "node:net";
import tls from "node:tls";
import { authorityFile, certificate } from "../../support/certificates/certificates.ts";

const [port, stubPort] = Deno.args.map(Number);

const FEATURES = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='s' from='example.test'>" +
  "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>" +
  "</stream:features>";
const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const decoder = new TextDecoder();
const identity = certificate("example.test");

net.createServer(accept).listen(
  { port, host: "127.0.0.1", backlog: 4_096 },
  () => void Deno.stdout.writeSync(new TextEncoder().encode(`${authorityFile}\n`)),
);

function accept(client: net.Socket): void {
  let said = "";
  const read = (chunk: Uint8Array) => {
    said += decoder.decode(chunk);
    if (said.includes("<starttls ")) {
      client.off("data", read);
      client.write(PROCEED);
      secure(client);
    } else if (said.includes("<stream:stream ") && said.endsWith(">")) {
      client.write(FEATURES);
    }
  };
  client.on("error", () => {});
  client.on("data", read);
}

function secure(client: net.Socket): void {
  const secured = new tls.TLSSocket(client, { isServer: true, ...identity });
  const stub = net.connect(stubPort!, "127.0.0.1");
  secured.on("error", () => stub.destroy());
  stub.on("error", () => secured.destroy());
  secured.pipe(stub).pipe(secured);
}
