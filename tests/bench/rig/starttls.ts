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

/** What is in TLS goes to the stub as it is. */
const secured = tls.createServer(certificate("example.test"), (client) => {
  join(client, net.connect(stubPort!, "127.0.0.1"));
});

secured.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  net.createServer(accept).listen(
    { port, host: "127.0.0.1", backlog: 4_096 },
    () => void Deno.stdout.writeSync(new TextEncoder().encode(`${authorityFile}\n`)),
  );
});

function accept(client: net.Socket): void {
  let said = "";
  const read = (chunk: Uint8Array) => {
    said += decoder.decode(chunk);
    if (said.includes("<starttls ")) {
      client.off("data", read);
      client.write(PROCEED);
      join(client, net.connect((secured.address() as net.AddressInfo).port, "127.0.0.1"));
    } else if (said.includes("<stream:stream ") && said.endsWith(">")) {
      client.write(FEATURES);
    }
  };
  client.on("error", () => {});
  client.on("data", read);
}

function join(one: net.Socket, other: net.Socket): void {
  one.on("error", () => other.destroy());
  other.on("error", () => one.destroy());
  one.pipe(other).pipe(one);
}
