import assert from "node:assert/strict";
import { haveProgram } from "../support/programs.ts";
import { canSandbox, SandboxedService } from "../support/sandboxed_service.ts";
import { UnitFile } from "../support/unit_file.ts";
import { putCertificates, UnitTour } from "../support/unit_tour.ts";

Deno.test({
  name: "the program does all that it does under the unit's filter of system calls, without " +
    "capabilities or new privileges, and writes nowhere but where it may",
  ignore: canSandbox().ignore || haveProgram("dnsmasq").ignore,
  async fn() {
    await using service = new SandboxedService(new UnitFile("causeway.service"));
    const paths = { credentials: "/run/credentials", runtime: service.runtime };
    await using tour = await UnitTour.start(paths);
    await putCertificates(service.credentials);
    await service.start(tour.configuration);

    await tour.bosh();
    await tour.webSocket();
    await tour.unixSocket();
    await tour.lookup();
    await service.notify.until("WATCHDOG=1");

    assert.equal(await tour.certificate(), "example.test");
    await putCertificates(service.credentials, "other.test");
    await service.kill("SIGHUP");
    await service.notify.until("RELOADING=1");
    await service.notify.until("READY=1");
    assert.equal(await tour.certificate(), "other.test");

    const status = await service.status();
    assert.equal(status.get("Seccomp"), "2");
    assert.equal(status.get("NoNewPrivs"), "1");
    for (const set of ["CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      assert.match(status.get(set)!, /^0+$/, set);
    }

    await service.kill("SIGTERM");
    await service.notify.until("STOPPING=1");
    assert.equal(await service.ended(), 0, service.stderr);
  },
});

Deno.test({
  name: "the sandbox of that test does refuse what the unit does not allow",
  ignore: canSandbox().ignore || haveProgram("python3").ignore,
  async fn() {
    await using service = new SandboxedService(new UnitFile("causeway.service"));
    await Deno.writeTextFile(`${service.credentials}/../causeway.toml`, "");
    const tries = {
      "a system call of @resources": "os.nice(1)",
      "a system call of @privileged": "os.chroot('/')",
      "an address family": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
      "a file of the system": "open('/etc/x', 'w')",
      "another one": "open('/usr/x', 'w')",
      "nothing that the program does": "open('/tmp/x', 'w').write('1')",
    };
    const code = Object.entries(tries).map(([what, code]) =>
      `try:\n ${code}\n print("${what}: done")\nexcept OSError as e: print("${what}:", e.strerror)`
    ).join("\n");
    assert.deepEqual(
      await service.run("python3", "-c", `import os, socket\n${code}`),
      [
        "a system call of @resources: Operation not permitted",
        "a system call of @privileged: Operation not permitted",
        "an address family: Address family not supported by protocol",
        "a file of the system: Read-only file system",
        "another one: Read-only file system",
        "nothing that the program does: done",
        "",
      ].join("\n"),
    );
  },
});
