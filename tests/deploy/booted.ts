/**
 * What the unit does under a systemd that is process 1. Runs as a service of the system that boot.sh boots; booted_test.ts
 * starts it.
 */
import assert from "node:assert/strict";
import { until } from "../support/patience.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { subject } from "../support/tls_clients.ts";
import { putCertificates, UnitTour } from "../support/unit_tour.ts";

const ETC = "/etc/causeway";
const CREDENTIALS = "/run/credentials/causeway.service";

async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout).trim();
}

const systemctl = (...args: string[]) => run("systemctl", ...args);
const property = (name: string) => systemctl("show", "--value", "--property", name, "causeway");

/** The journal's entries of the service itself. */
async function journal(...args: string[]): Promise<{ PRIORITY: string; MESSAGE: string }[]> {
  await run("journalctl", "--sync");
  const matches = ["_SYSTEMD_UNIT=causeway.service", "--output=json", "--no-pager"];
  const lines = (await run("journalctl", ...matches, ...args)).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

await run("ip", "link", "set", "lo", "up");

Deno.test("the unit runs, and does what it does, in its whole sandbox", async () => {
  const paths = { credentials: CREDENTIALS, runtime: "/run/causeway" };
  await using tour = await UnitTour.start(paths);
  await putCertificates(ETC);
  for (const name of ["tls.key", "tls.crt"]) await Deno.chmod(`${ETC}/${name}`, 0o600);
  await Deno.writeTextFile(`${ETC}/causeway.toml`, `${tour.configuration}\n[log]\nlevel = "debug"`);

  // Returns when READY=1 has come.
  await systemctl("start", "causeway");
  await tour.bosh();
  await tour.webSocket();
  await tour.unixSocket();
  await tour.lookup();
  assert.equal(await property("StatusText"), "serving, 0 sessions");
  assert.equal(await tour.certificate(), "example.test");

  const pid = await property("MainPID");
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  assert.match(status, /^Uid:\t(6[1-5]\d{3})\t\1\t\1\t\1$/m);
  assert.match(status, /^CapBnd:\t0+$/m);
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  const own = await Deno.readTextFile(`/proc/${pid}/mountinfo`);
  assert.match(own, / \/ ro,/);

  await systemctl("reload", "causeway");
  const reloaded = async () =>
    (await journal()).find(({ MESSAGE }) => /certificates read anew/.test(MESSAGE));
  await until(reloaded, "the reload is in the journal");
  await until(
    async () => await property("ActiveState") === "active" || undefined,
    "it is ready again",
  );

  const entries = await journal();
  const priorityOf = (message: RegExp) =>
    entries.find(({ MESSAGE }) => message.test(MESSAGE))?.PRIORITY;
  assert.equal(priorityOf(/^debug upstream connected session=/), "7");
  assert.equal(priorityOf(/^info session created session=\S+ .* client=127\.0\.0\.1 /), "6");
  assert.equal(priorityOf(/^warn upstream failed session=/), "4");
  const warnings = await journal("--priority=warning");
  assert.ok(warnings.length > 0 && warnings.every(({ MESSAGE }) => MESSAGE.startsWith("warn ")));

  await systemctl("stop", "causeway");
  assert.equal(await property("Result"), "success");
  assert.equal(await property("ExecMainStatus"), "0");
});

Deno.test("a process that hangs is ended by the watchdog, and started anew", async () => {
  await Deno.writeTextFile(`${ETC}/causeway.toml`, "[[listen]]\nport = 5280\n");
  await systemctl("start", "causeway");
  const hangs = await property("MainPID");
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  assert.equal(await property("MainPID"), hangs, "one that does not hang is left alone");
  Deno.kill(Number(hangs), "SIGSTOP");
  await until(async () => {
    const [pid, state] = [await property("MainPID"), await property("ActiveState")];
    return (pid !== hangs && state === "active") || undefined;
  }, "it runs again");
  assert.equal(await property("NRestarts"), "1");
  await systemctl("stop", "causeway");
});

Deno.test("systemd listens below port 1024 for it, and keeps who knocks until it has started", async () => {
  await Deno.writeTextFile(
    `${ETC}/causeway.toml`,
    `[[listen]]
    fd = 3
    tls = { cert = "${CREDENTIALS}/tls.crt", key = "${CREDENTIALS}/tls.key" }
    [domains."example.test"]
    connect = "xmpp://127.0.0.1:1"`,
  );
  await systemctl("start", "causeway.socket");
  assert.equal(await subject(444), "example.test");
  assert.equal(await property("ActiveState"), "active");
  await systemctl("stop", "causeway.service");
  // Who comes now starts it, and waits.
  const knocking = Array.from({ length: 20 }, async () => {
    using socket = await RawWebSocket.connect("https://127.0.0.1:444/xmpp-websocket");
    return socket.status;
  });
  assert.deepEqual(await Promise.all(knocking), Array(20).fill(101));
  await systemctl("stop", "causeway.socket", "causeway.service");
});
