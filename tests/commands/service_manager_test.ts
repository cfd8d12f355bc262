import assert from "node:assert/strict";
import { ServiceManager } from "../../src/commands/service_manager.ts";
import { Log } from "../../src/log.ts";
import { freePort } from "../support/free_port.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { ServeProcess } from "../support/serve_process.ts";

/** A log at level `info`, and its lines without their times. */
function recorded(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line.trim().slice(25));
  return { log: new Log({ level: "info", format: "text", write, now: Date.now }), lines };
}

/** Seconds by CLOCK_MONOTONIC, for which Deno has no name; those of /proc/uptime are never before it. */
function monotonic(): number {
  return Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
}

Deno.test("the program tells its service manager: ready when it accepts, reloading and ready again, stopping", async () => {
  for (const kind of ["path", "abstract"] as const) {
    using systemd = new NotifySocket(kind);
    const port = freePort();
    const directory = await Deno.makeTempDir();
    const file = `${directory}/causeway.toml`;
    await Deno.writeTextFile(file, `[[listen]]\nport = ${port}\n`);
    // With the permissions that the executable has.
    const args = ["serve", "--config", file];
    const env = { NOTIFY_SOCKET: systemd.address };
    await using service = new ServeProcess(args, env, "main.ts", ["-P"]);

    assert.deepEqual(await systemd.next(), ["READY=1", "STATUS=serving, 0 sessions"]);
    (await Deno.connect({ port })).close();

    const before = monotonic();
    service.hangUp();
    const [reloading, time = "", ...more] = await systemd.next();
    assert.deepEqual([reloading, more], ["RELOADING=1", []]);
    const [, microseconds] = /^MONOTONIC_USEC=(\d+)$/.exec(time)!;
    // What is before systemd's own SIGHUP would not be taken for the answer to it.
    assert.ok(Number(microseconds) / 1e6 >= before);
    assert.ok(Number(microseconds) / 1e6 <= monotonic() + 1);
    assert.deepEqual(await systemd.next(), ["READY=1"]);

    // A reload of a wrong file is over too.
    await Deno.writeTextFile(file, "nothing = right\n");
    service.hangUp();
    assert.equal((await systemd.next())[0], "RELOADING=1");
    assert.deepEqual(await systemd.next(), ["READY=1"]);

    const ended = service.terminate();
    const [stopping, patience = ""] = await systemd.next();
    assert.equal(stopping, "STOPPING=1");
    assert.match(patience, /^EXTEND_TIMEOUT_USEC=\d{7,8}$/);
    assert.equal((await ended).code, 0);
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a program that cannot listen does not tell that it is ready", async () => {
  using systemd = new NotifySocket();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = ["serve", "--listen", `127.0.0.1:${taken.addr.port}`];
  await using service = new ServeProcess(args, { NOTIFY_SOCKET: systemd.address });
  assert.equal((await service.ended).code, 1);
  assert.equal(await systemd.isSilent(), true);
});

Deno.test("a program runs without a service manager that can be told, and says so once", async () => {
  for (
    const [address, said] of [
      ["/tmp/there is/nobody", /the service manager cannot be told what=READY=1/],
      ["vsock:2:1", /NOTIFY_SOCKET is neither a path nor/],
    ] as const
  ) {
    const args = ["serve", "--listen", "127.0.0.1:0"];
    await using service = new ServeProcess(args, { NOTIFY_SOCKET: address });
    await service.url;
    const { code, stderr } = await service.terminate();
    assert.equal(code, 0);
    assert.match(stderr.replaceAll('"', ""), said);
    assert.equal(stderr.split("\n").filter((line) => /manager|NOTIFY/.test(line)).length, 1);
  }
});

Deno.test("the watchdog hears from the event loop twice in its time, and not from one that hangs", async () => {
  using systemd = new NotifySocket();
  const { log, lines } = recorded();
  const environment = {
    NOTIFY_SOCKET: systemd.address,
    WATCHDOG_USEC: "200000",
    WATCHDOG_PID: String(Deno.pid),
  };
  const manager = ServiceManager.connect(environment, log)!;
  let status = "1 session";
  manager.ready(() => status);
  assert.deepEqual(await systemd.next(), ["READY=1", "STATUS=1 session", "WATCHDOG=1"]);
  const start = performance.now();
  assert.deepEqual(await systemd.next(), ["WATCHDOG=1"]);
  status = "2 sessions";
  assert.deepEqual(await systemd.next(), ["WATCHDOG=1", "STATUS=2 sessions"]);
  assert.ok(performance.now() - start >= 150);

  // It hangs for ten times as long as two beats are apart.
  const hanging = performance.now();
  while (performance.now() - hanging < 1_000);
  const late = [await systemd.next(), await systemd.next()];
  assert.ok(performance.now() - hanging >= 1_050, "beats that were not sent are not made up for");
  assert.deepEqual(late, [["WATCHDOG=1"], ["WATCHDOG=1"]]);
  manager.close();
  assert.deepEqual(lines, []);
});

Deno.test("a watchdog that waits for another process hears nothing", async () => {
  using systemd = new NotifySocket();
  const environment = {
    NOTIFY_SOCKET: systemd.address,
    WATCHDOG_USEC: "20000",
    WATCHDOG_PID: String(Deno.pid + 1),
  };
  const manager = ServiceManager.connect(environment, recorded().log)!;
  manager.ready(() => "x");
  assert.deepEqual(await systemd.next(), ["READY=1", "STATUS=x"]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  manager.stopping(1_000);
  assert.deepEqual(await systemd.next(), ["STOPPING=1", "EXTEND_TIMEOUT_USEC=6000000"]);
  manager.close();
});

Deno.test("what is told in one turn comes in its order, and all of it", async () => {
  using systemd = new NotifySocket();
  const { log, lines } = recorded();
  const manager = ServiceManager.connect({ NOTIFY_SOCKET: systemd.address }, log)!;
  manager.ready(() => "x");
  manager.reloading();
  manager.reloaded();
  manager.stopping(0);
  manager.close();
  const told = [];
  for (let count = 0; count < 4; count++) told.push((await systemd.next())[0]);
  assert.deepEqual(told, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
  assert.deepEqual(lines, []);
});

Deno.test("without NOTIFY_SOCKET there is no service manager", () => {
  const { log, lines } = recorded();
  assert.equal(ServiceManager.connect({}, log), undefined);
  assert.equal(ServiceManager.connect({ NOTIFY_SOCKET: "" }, log), undefined);
  assert.deepEqual(lines, []);
});
