/**
 * An upload by the library against plain XHR PUTs of the same slices to
 * presigned, unsigned part URLs, in the same page and the same run; the
 * renderer's peak memory and the main thread's longest task beside it. The
 * library's time is that from the call to the last part confirmed: grant,
 * CreateMultipartUpload and hashing are in it, CompleteMultipartUpload and the
 * server's look are not, for they come to both. Then signatures a second
 * against aws4fetch. Reports, and asserts nothing.
 *
 *	node bench/upload.js [--size MiB] [--rounds N]
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { openPage } from "./cdp.js";
import { binary, randomFile, sha256 } from "../test/harness.js";

const { values } = parseArgs({ options: { size: { type: "string", default: "512" }, rounds: { type: "string", default: "3" } } });
const size = Number(values.size) << 20;
const partSize = 8 << 20;
const lanes = 4;

const tmp = await mkdtemp(join(tmpdir(), "chunksign-bench-"));
const server = spawn(binary, ["serve", "-listen", "127.0.0.1:0", "-data", join(tmp, "data")], {
  stdio: ["ignore", "pipe", "ignore"],
});
const [url] = await once(createInterface({ input: server.stdout }), "line");
const file = await randomFile(tmp, "bench.bin", size);
const page = await openPage(url);

await page.evaluate(`{
  const input = document.createElement("input");
  input.type = "file";
  input.id = "bench";
  document.body.append(input);
  window.longest = 0;
  new PerformanceObserver((l) => { for (const e of l.getEntries()) window.longest = Math.max(window.longest, e.duration); })
    .observe({ type: "longtask" });
}`);
await page.chooseFiles("#bench", [file.path]);

const library = `(async () => {
  const { Uploader } = await import("/chunksign/chunksign.js");
  const begun = performance.now();
  const upload = new Uploader({ destination: "demo", partSize: ${partSize}, concurrency: ${lanes} }).upload(document.querySelector("#bench").files[0]);
  let parts;
  upload.addEventListener("state", () => { if (upload.state === "finishing") parts = performance.now(); });
  const { key } = await upload.result;
  return { ms: parts - begun, rest: performance.now() - parts, key };
})()`;

const plain = `(async () => {
  const { createSigner } = await import("/chunksign/chunksign.js");
  const file = document.querySelector("#bench").files[0];
  const g = await (await fetch("/v1/destinations/demo/uploads", { method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: file.name, type: "application/octet-stream", size: file.size }) })).json();
  const { endpoint, bucket, key, region, headers } = g.upload;
  const signer = await createSigner({ credentials: g.credentials, endpoint, bucket, key, region });
  const object = endpoint + "/" + bucket + "/" + key.split("/").map(encodeURIComponent).join("/");
  const go = async (r, body) => (await fetch(r.url, { method: r.method, headers: r.headers, body })).text();
  const uploadId = /<UploadId>(.*?)</.exec(await go(await signer.sign({ method: "POST", url: object + "?uploads", headers })))[1];
  const parts = Math.ceil(file.size / ${partSize});
  const urls = [];
  for (let n = 1; n <= parts; n++) urls.push(await signer.presign({ method: "PUT", url: object + "?partNumber=" + n + "&uploadId=" + encodeURIComponent(uploadId) }));
  const etags = [];
  let next = 0;
  const begun = performance.now();
  const lane = async () => {
    while (next < parts) {
      const n = next++;
      await new Promise((resolve, reject) => {
        const xhr = new XMLHttpRequest();
        xhr.open("PUT", urls[n]);
        xhr.upload.onprogress = () => {};
        xhr.onload = () => { etags[n] = xhr.getResponseHeader("ETag"); xhr.status === 200 ? resolve() : reject(new Error(xhr.responseText)); };
        xhr.onerror = reject;
        xhr.send(file.slice(n * ${partSize}, (n + 1) * ${partSize}));
      });
    }
  };
  await Promise.all(Array.from({ length: ${lanes} }, lane));
  const ms = performance.now() - begun;
  const body = "<CompleteMultipartUpload>" + etags.map((e, i) => "<Part><PartNumber>" + (i + 1) + "</PartNumber><ETag>" + e + "</ETag></Part>").join("") + "</CompleteMultipartUpload>";
  await go(await signer.sign({ method: "POST", url: object + "?uploadId=" + encodeURIComponent(uploadId), headers: { "if-none-match": "*" }, body }), body);
  return { ms, key };
})()`;

const aws4fetch = await readFile(new URL("../node_modules/aws4fetch/dist/aws4fetch.esm.js", import.meta.url), "base64");
const signatures = `(async () => {
  const { createSigner } = await import("/chunksign/chunksign.js");
  const credentials = { accessKeyId: "ASIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", sessionToken: "t".repeat(400) };
  const signer = await createSigner({ credentials, region: "us-east-1", endpoint: "http://127.0.0.1:9000", bucket: "b", key: "some/key.bin" });
  const payloadHash = "ab".repeat(32);
  const digest = new Uint8Array(32).fill(0xab);
  const n = 5000;
  const rate = async (one) => { for (let i = 0; i < 200; i++) await one(i); const t = performance.now(); for (let i = 0; i < n; i++) await one(i); return n / (performance.now() - t) * 1000; };
  const ours = await rate((i) => signer.signChunk({ uploadId: "abcdefgh", partNumber: i % 10000 + 1, payloadHash: digest }));
  const { AwsV4Signer } = await import("data:text/javascript;base64,${aws4fetch}");
  const theirs = await rate((i) => new AwsV4Signer({ ...credentials, region: "us-east-1", service: "s3", method: "PUT", cache: window.keys ??= new Map(),
    url: "http://127.0.0.1:9000/b/some/key.bin?partNumber=" + (i % 10000 + 1) + "&uploadId=abcdefgh",
    headers: { "x-amz-content-sha256": payloadHash, "x-amz-checksum-sha256": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=" } }).sign());
  return { ours, theirs };
})()`;

const mib = (/** @type {number} */ bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const rows = { plain: /** @type {number[]} */ ([]), library: /** @type {number[]} */ ([]) };
const peaks = { plain: 0, library: 0 };
await page.rendererPeak();
const idle = await page.rendererPeak();
console.log(`${mib(size)} file, ${mib(partSize)} parts, ${lanes} at once, loopback; renderer idle at ${mib(idle)}`);
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const [name, code] of /** @type {const} */ ([["plain", plain], ["library", library]])) {
    await page.evaluate("window.longest = 0");
    const { ms, rest = 0, key } = await page.evaluate(code);
    const path = join(tmp, "data", "demo", key);
    if ((await sha256(path)) !== file.sha256) throw new Error(`${name}: the object differs from the file`);
    await rm(path);
    const peak = await page.rendererPeak();
    const longest = await page.evaluate("window.longest");
    rows[name].push(ms);
    peaks[name] = Math.max(peaks[name], peak - idle);
    console.log(`  round ${round}  ${name.padEnd(8)} ${(ms / 1000).toFixed(2)} s  ${(size / 2 ** 20 / (ms / 1000)).toFixed(0)} MiB/s  renderer +${mib(peak - idle)}  longest main-thread task ${longest} ms${rest ? `  then ${(rest / 1000).toFixed(2)} s to complete and verify` : ""}`);
  }
}
const median = (/** @type {number[]} */ v) => [...v].sort((a, b) => a - b)[Math.floor(v.length / 2)] ?? NaN;
console.log(`median ratio, library to plain XHR: ${(median(rows.library) / median(rows.plain)).toFixed(2)}; renderer peak above idle ${mib(peaks.library)} (plain ${mib(peaks.plain)})`);

const { ours, theirs } = await page.evaluate(signatures);
console.log(`signatures a second: signChunk ${ours.toFixed(0)}, aws4fetch ${theirs.toFixed(0)}, ratio ${(ours / theirs).toFixed(1)}`);
await page.close();
server.kill("SIGTERM");
await once(server, "exit");
await rm(tmp, { recursive: true, force: true });
