import assert from "node:assert/strict";
import { system } from "../../../src/upstream/dns/system.ts";

/** The system as these files describe it. */
async function machine(): Promise<
  & { resolvConf: string; hosts: string; system: ReturnType<typeof system> }
  & AsyncDisposable
> {
  const folder = await Deno.makeTempDir();
  const files = { resolvConf: `${folder}/resolv.conf`, hosts: `${folder}/hosts` };
  return {
    ...files,
    system: system(files),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("D-008 the name servers are those of resolv.conf, three at most, and read again when it changes", async () => {
  await using at = await machine();
  const addresses = async () => (await at.system.nameservers()).map(({ address }) => address);
  await Deno.writeTextFile(
    at.resolvConf,
    "# nameserver 192.0.2.9\nsearch example.test\nnameserver 192.0.2.1\noptions rotate\n" +
      "nameserver\t2001:db8::1 # comment\nnameserver nonsense\n nameserver 192.0.2.8\n",
  );
  assert.deepEqual(await at.system.nameservers(), [
    { address: "192.0.2.1", port: 53 },
    { address: "2001:db8::1", port: 53 },
  ]);
  const many = [1, 2, 3, 4].map((i) => `192.0.2.${i}`);
  await Deno.writeTextFile(at.resolvConf, many.map((a) => `nameserver ${a}\n`).join(""));
  assert.deepEqual(await addresses(), many.slice(0, 3));
  // As systems do it: a new file takes the place of the old one.
  await Deno.writeTextFile(`${at.resolvConf}.new`, "nameserver 192.0.2.7\n");
  await Deno.rename(`${at.resolvConf}.new`, at.resolvConf);
  assert.deepEqual(await addresses(), ["192.0.2.7"]);
  await Deno.writeTextFile(at.resolvConf, "search example.test\n");
  assert.deepEqual(await addresses(), ["127.0.0.1"]);
});

Deno.test("D-008 where there is no resolv.conf, the reason says what to write", async () => {
  await using at = await machine();
  await assert.rejects(
    at.system.nameservers(),
    /resolv\.conf cannot be read; write one: \[upstream\] nameserver = "address:53"$/,
  );
});

Deno.test("D-010 the hosts file is read as it is written, and again when it changes", async () => {
  await using at = await machine();
  assert.equal(await at.system.hosts("a.test"), undefined);
  await Deno.writeTextFile(
    at.hosts,
    "# comment\n192.0.2.1\ta.test  A\n2001:db8::1 b.test a.test # more\nnonsense a.test\n\n",
  );
  assert.deepEqual(await at.system.hosts("a.test"), ["192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(await at.system.hosts("a"), ["192.0.2.1"]);
  assert.equal(await at.system.hosts("more"), undefined);
  await Deno.writeTextFile(at.hosts, "192.0.2.22 a.test\n");
  assert.deepEqual(await at.system.hosts("a.test"), ["192.0.2.22"]);
  await Deno.remove(at.hosts);
  assert.equal(await at.system.hosts("a.test"), undefined);
});

Deno.test("D-010 the system's own lookup knows the machine's names and says when it does not", async () => {
  const { lookup } = system();
  assert.ok((await lookup("localhost")).length > 0);
  // No label can have that many letters, so nobody is asked.
  await assert.rejects(lookup("a".repeat(64)), /^NetworkError: the name a+ does not resolve$/);
});
