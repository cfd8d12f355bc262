import assert from "node:assert/strict";
import { watchFiles } from "../../src/commands/watch_files.ts";
import { certificate, type CertificateName } from "../support/certificates/certificates.ts";
import { TestClock } from "../support/test_clock.ts";

/** The watch looks at the files once a second. */
const SECOND = 1_000;

/** A folder with the files of a certificate, what was taken of them, and the clock. */
class Stage implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly clock = new TestClock();
  /** What was taken, `half` where the two did not fit; `!` where it was final. */
  readonly taken: string[] = [];
  #watch: { close(): void } | undefined;

  /** What has been taken since it was asked last, when so many seconds have passed. */
  after(seconds: number): string[] {
    this.clock.advance(seconds * SECOND);
    return this.taken.splice(0);
  }

  watch(cert: string, key: string): void {
    const paths = [cert, key].map((name) => `${this.folder}/${name}`);
    this.#watch = watchFiles(() => paths, (isFinal) => {
      const read = paths.map((path) => {
        try {
          return Deno.readTextFileSync(path);
        } catch {
          return "";
        }
      });
      const name = NAMES.find((name) => {
        const { cert, key } = certificate(name);
        return cert === read[0] && key === read[1];
      });
      this.taken.push(`${name ?? "half"}${isFinal ? "!" : ""}`);
      return name !== undefined;
    }, this.clock);
  }

  /** Writes the pair into a folder of its own. */
  write(folder: string, name: CertificateName, cert = "tls.crt", key = "tls.key"): void {
    Deno.mkdirSync(`${this.folder}/${folder}`, { recursive: true });
    Deno.writeTextFileSync(`${this.folder}/${folder}/${cert}`, certificate(name).cert);
    Deno.writeTextFileSync(`${this.folder}/${folder}/${key}`, certificate(name).key);
  }

  link(target: string, name: string): void {
    Deno.symlinkSync(target, `${this.folder}/${name}`);
  }

  rename(from: string, to: string): void {
    Deno.renameSync(`${this.folder}/${from}`, `${this.folder}/${to}`);
  }

  [Symbol.dispose](): void {
    this.#watch?.close();
    assert.equal(this.clock.timers, 0);
    Deno.removeSync(this.folder, { recursive: true });
  }
}

const NAMES = ["example.test", "wildcard", "other.test"] as const;

Deno.test("files that do not change are not taken", () => {
  using stage = new Stage();
  stage.write(".", "example.test");
  stage.watch("tls.crt", "tls.key");
  assert.deepEqual(stage.after(60), []);
});

Deno.test("certbot: links that point to new files, one after the other", () => {
  using stage = new Stage();
  stage.write("archive", "example.test", "fullchain1.pem", "privkey1.pem");
  Deno.mkdirSync(`${stage.folder}/live`);
  stage.link("../archive/fullchain1.pem", "live/fullchain.pem");
  stage.link("../archive/privkey1.pem", "live/privkey.pem");
  stage.watch("live/fullchain.pem", "live/privkey.pem");
  for (const [number, name] of [[2, "wildcard"], [3, "other.test"]] as const) {
    stage.write("archive", name, `fullchain${number}.pem`, `privkey${number}.pem`);
    assert.deepEqual(stage.after(10), [], "what nothing points to is nothing");
    Deno.removeSync(`${stage.folder}/live/privkey.pem`);
    stage.link(`../archive/privkey${number}.pem`, "live/privkey.pem");
    assert.deepEqual(stage.after(1), []);
    Deno.removeSync(`${stage.folder}/live/fullchain.pem`);
    assert.deepEqual(stage.after(1), [], "one is away");
    stage.link(`../archive/fullchain${number}.pem`, "live/fullchain.pem");
    assert.deepEqual(stage.after(20), [name]);
  }
});

Deno.test("Kubernetes: ..data points to another folder, and the former one goes", () => {
  using stage = new Stage();
  stage.write("..2026_01", "example.test");
  stage.link("..2026_01", "..data");
  stage.link("..data/tls.crt", "tls.crt");
  stage.link("..data/tls.key", "tls.key");
  stage.watch("tls.crt", "tls.key");
  for (const [version, name] of [["02", "wildcard"], ["03", "other.test"]] as const) {
    stage.write(`..2026_${version}`, name);
    stage.link(`..2026_${version}`, "..data_tmp");
    stage.rename("..data_tmp", "..data");
    Deno.removeSync(`${stage.folder}/..2026_0${Number(version) - 1}`, { recursive: true });
    assert.deepEqual(stage.after(20), [name]);
  }
});

Deno.test("a folder above them is a link that points elsewhere now", () => {
  using stage = new Stage();
  stage.write("v1/tls", "example.test");
  stage.write("v2/tls", "wildcard");
  stage.link("v1", "current");
  stage.watch("current/tls/tls.crt", "current/tls/tls.key");
  stage.link("v2", "next");
  stage.rename("next", "current");
  assert.deepEqual(stage.after(20), ["wildcard"]);
});

Deno.test("files that are renamed into place", () => {
  using stage = new Stage();
  stage.write(".", "example.test");
  stage.watch("tls.crt", "tls.key");
  stage.write(".", "wildcard", "new.crt", "new.key");
  stage.rename("new.crt", "tls.crt");
  stage.rename("new.key", "tls.key");
  assert.deepEqual(stage.after(20), ["wildcard"]);
});

Deno.test("files that are written where they are, in two steps: a pair that does not fit yet is no mistake", () => {
  using stage = new Stage();
  stage.write(".", "example.test");
  stage.watch("tls.crt", "tls.key");
  Deno.writeTextFileSync(`${stage.folder}/tls.crt`, certificate("wildcard").cert.slice(0, 100));
  assert.deepEqual(stage.after(1), []);
  Deno.writeTextFileSync(`${stage.folder}/tls.crt`, certificate("wildcard").cert);
  assert.deepEqual(stage.after(2), ["half"], "nothing for a second, and it is asked again");
  Deno.writeTextFileSync(`${stage.folder}/tls.key`, certificate("wildcard").key);
  assert.deepEqual(stage.after(60), ["wildcard"]);
});

Deno.test("what fits together no better after ten seconds is told once, and taken when it does", () => {
  using stage = new Stage();
  stage.write(".", "example.test");
  stage.watch("tls.crt", "tls.key");
  Deno.writeTextFileSync(`${stage.folder}/tls.crt`, certificate("wildcard").cert);
  assert.deepEqual(stage.after(60), [...Array(9).fill("half"), "half!"]);
  Deno.removeSync(`${stage.folder}/tls.key`);
  assert.deepEqual(stage.after(60).at(-1), "half!");
  Deno.writeTextFileSync(`${stage.folder}/tls.key`, certificate("wildcard").key);
  assert.deepEqual(stage.after(60), ["wildcard"]);
});

Deno.test("files that change without end are taken all the same", () => {
  using stage = new Stage();
  stage.write(".", "example.test");
  stage.watch("tls.crt", "tls.key");
  const taken: string[] = [];
  for (let round = 1; round < 13; round++) {
    stage.write(".", round % 2 === 0 ? "example.test" : "wildcard");
    Deno.utimeSync(`${stage.folder}/tls.crt`, round, round);
    taken.push(...stage.after(1));
  }
  assert.equal(taken.length, 1);
});
