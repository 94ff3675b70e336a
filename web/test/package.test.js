// The npm package, as somebody gets it who installs it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const web = fileURLToPath(new URL("..", import.meta.url));
const tsc = join(web, "node_modules/.bin/tsc");

const consumer = `
import { Uploader, UploadError, createSigner, type PendingUpload } from "chunksign";
import Evaporate, { type EvaporateStats } from "chunksign/evaporate";

const uploader = new Uploader({ destination: "photos" });
export const key: Promise<string> = uploader.upload(new File([], "a")).result.then((o) => o.key);
export const list: Promise<PendingUpload[]> = uploader.pending();
export const known = (e: unknown): boolean => e instanceof UploadError && e.code === "cancelled";
export const signer = createSigner({ region: "eu-west-1", credentials: { accessKeyId: "a", secretAccessKey: "b" }, bucket: "c" });
export async function shim(file: File): Promise<string> {
  const evaporate = await Evaporate.create({ signerUrl: "/s", bucket: "b", aws_key: "k", awsRegion: "r" });
  return evaporate.add({ name: "n", file, progress: (ratio: number, stats: EvaporateStats) => void (ratio * stats.speed) });
}
// @ts-expect-error There is no such option.
new Uploader({ destinatoin: "photos" });
// @ts-expect-error A number of bytes.
void Evaporate.create({ partSize: "8 MiB" });
`;

test("the package installs with its types, and whatever it imports is in it", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "chunksign-package-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", dir], { cwd: web });
  const tarball = stdout.trim().split("\n").at(-1) ?? "";
  await run("tar", ["xzf", join(dir, tarball), "-C", dir]);
  const at = join(dir, "node_modules/chunksign");
  await mkdir(dirname(at));
  await rename(join(dir, "package"), at);
  await writeFile(join(dir, "package.json"), `{"type":"module"}`);
  await writeFile(join(dir, "consumer.ts"), consumer);

  const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,dom,dom.iterable,dom.asynciterable", "--skipLibCheck", "false"];
  for (const [module, resolution] of [["esnext", "bundler"], ["nodenext", "nodenext"]]) {
    await run(tsc, [...options, "--module", module ?? "", "--moduleResolution", resolution ?? "", "consumer.ts"], { cwd: dir }).catch((e) => assert.fail(`${resolution}: ${e.stdout}`));
  }

  // Node resolves the entries; what they name is followed from file to file.
  const script = `for (const name of ["chunksign", "chunksign/evaporate"]) console.log(import.meta.resolve(name));`;
  const entries = (await run("node", ["--input-type=module", "-e", script], { cwd: dir })).stdout.trim().split("\n").map((url) => fileURLToPath(url));
  assert.deepEqual(entries, ["chunksign.js", "evaporate.js"].map((name) => join(at, "dist", name)));
  const seen = new Set(entries);
  for (const path of seen) {
    if (!path.endsWith(".js")) continue;
    for (const [, name = ""] of (await readFile(path, "utf8")).matchAll(/["'](?:\.\/)?([\w-]+-[\w]+\.(?:js|wasm))["']/g)) seen.add(join(at, "dist", name));
  }
  for (const path of seen) await readFile(path);
  assert.ok([...seen].filter((path) => path.endsWith(".wasm")).length === 2 && seen.size >= 8, [...seen].join("\n"));
});
