import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { browserName, giveFiles, inWorkers, objects, openDemo, orphanParts, partsReceived, randomFile, sha256, stage } from "./harness.js";

const MiB = 1 << 20;

/**
 * Uploads window.files[0] in parts of 5 MiB; what came of it, and the codes of what
 * was warned of meanwhile.
 *
 * @param {import("puppeteer-core").Page} page
 */
const upload = (page) =>
  page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo", partSize: 5 << 20 });
    /** @type {string[]} */
    const warnings = [];
    uploader.addEventListener("warning", (/** @type {any} */ e) => warnings.push(e.detail.code));
    const upload = uploader.upload(/** @type {any} */ (window).files[0]);
    const [key, error] = await upload.result.then((/** @type {any} */ o) => [o.key, ""], (/** @type {any} */ e) => ["", e.code]);
    return { key, error, warnings, state: upload.state, pending: (await uploader.pending()).length };
  });

/**
 * Has the first signing module trap in the middle, or every one before it has sent a
 * part: an export throws what a trap throws.
 */
const trap = (/** @type {number} */ worker, /** @type {boolean} */ always) => {
  const real = WebAssembly.instantiate;
  WebAssembly.instantiateStreaming = async (source, imports) => {
    const made = await real(await (await source).arrayBuffer(), imports);
    const x = /** @type {any} */ (made.instance.exports);
    let calls = 0;
    const post = (/** @type {number} */ n) => {
      if (++calls >= (always ? 12 : 40) && (always || worker === 1)) throw new WebAssembly.RuntimeError("unreachable");
      return x.post(n);
    };
    return { ...made, instance: Object.create(WebAssembly.Instance.prototype, { exports: { value: { ...x, post } } }) };
  };
};

test("a trap in the signing module: another takes the upload over, and nothing confirmed is sent again", async (t) => {
  const s = await stage(t, { serverArgs: ["-log", "debug"] });
  const file = await randomFile(s.tmp, "film.bin", 320 * MiB);
  const page = await s.browser.newPage();
  await inWorkers(page, trap, false);
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  const { key, error, warnings, pending } = await upload(page);
  assert.deepEqual([error, warnings, pending], ["", ["worker_restarted"], 0]);
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.deepEqual(await orphanParts(s.data), []);
  const { before, after } = partsReceived(s.log());
  assert.ok(before.size >= 1 && before.size < 64, `parts before the trap: ${before.size}`);
  assert.deepEqual(after.filter((n) => before.has(n)), [], "parts that the store had were sent again");
});

test("a signing module that always traps fails the upload, and keeps what the store has", { timeout: 120_000 }, async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 64 * MiB);
  const page = await s.browser.newPage();
  await inWorkers(page, trap, true);
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  const { error, warnings, state } = await upload(page);
  assert.deepEqual([error, state], ["module_died", "failed"]);
  assert.ok(warnings.length >= 2 && warnings.every((/** @type {string} */ w) => w === "worker_restarted"), String(warnings));
  assert.deepEqual(await objects(join(s.data, "demo")), []);
});

test("a worker that hangs is replaced, and the upload goes on", { timeout: 120_000 }, async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 160 * MiB);
  const page = await s.browser.newPage();
  await inWorkers(page, (worker) => {
    let sent = 0;
    const { send } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.send = function (body) {
      if (worker === 1 && ++sent > 12) for (;;);
      send.call(this, body);
    };
  });
  // The page's watch runs at twenty times its speed.
  await page.evaluateOnNewDocument(() => {
    const real = window.setInterval;
    window.setInterval = /** @type {any} */ ((/** @type {any} */ f, /** @type {number} */ ms) => real(f, ms / 20));
  });
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  const { key, error, warnings } = await upload(page);
  assert.equal(error, "");
  assert.ok(warnings.length >= 1 && warnings.every((/** @type {string} */ w) => w === "worker_restarted"), String(warnings));
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.deepEqual(await orphanParts(s.data), []);
});

for (const [what, broken] of /** @type {[string, () => void][]} */ ([
  ["no IndexedDB", () => void Object.defineProperty(globalThis, "indexedDB", { value: undefined })],
  ["an IndexedDB that does not open, as in private browsing", () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("A mutation operation was attempted on a database that did not allow mutations.", "InvalidStateError");
    };
  }],
  ["an IndexedDB that throws", () => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  }],
])) {
  test(`${what}: said once, and uploads go on without a journal`, async (t) => {
    const s = await stage(t);
    const file = await randomFile(s.tmp, "film.bin", 64 * MiB);
    const page = await s.browser.newPage();
    await inWorkers(page, broken);
    /** @type {string[]} */
    const said = [];
    page.on("console", (m) => m.text().startsWith("chunksign: ") && said.push(m.text()));
    await openDemo(s, { page });
    await giveFiles(page, file.path);
    for (let i = 0; i < 2; i++) {
      const { key, error, pending } = await upload(page);
      assert.deepEqual([error, pending], ["", 0]);
      assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
    }
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0] ?? "", /uploads go on, but cannot be found again/);
  });
}

// Firefox has no way to set a quota.
if (browserName === "chrome") {
  test("no room left for this origin: said once, and uploads go on without a journal", async (t) => {
    const s = await stage(t);
    const file = await randomFile(s.tmp, "film.bin", 64 * MiB);
    const page = await s.browser.newPage();
    /** @type {string[]} */
    const said = [];
    page.on("console", (m) => m.text().startsWith("chunksign: ") && said.push(m.text()));
    const devtools = await page.createCDPSession();
    await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(s.url).origin, quotaSize: 1 });
    await openDemo(s, { page });
    await giveFiles(page, file.path);
    for (let i = 0; i < 2; i++) {
      const { key, error, pending } = await upload(page);
      assert.deepEqual([error, pending], ["", 0]);
      assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
    }
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0] ?? "", /uploads go on, but cannot be found again/);
  });
}

test("a trap in the journal's module: another writes the record", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 160 * MiB);
  const page = await s.browser.newPage();
  await inWorkers(page, () => {
    const real = WebAssembly.instantiate;
    let made = 0;
    // @ts-ignore one of its two forms
    WebAssembly.instantiate = async (module, imports) => {
      const instance = /** @type {any} */ (await real(/** @type {any} */ (module), imports));
      if (!("gojs" in (imports ?? {})) || instance.instance || instance.exports.output) return instance;
      new BroadcastChannel("keepers").postMessage("another");
      if (++made > 1) return instance;
      const x = instance.exports;
      // The first record is a message of a size that cannot be.
      const post = (/** @type {number} */ n) => x.post(n > 300 ? -1 : n);
      return Object.create(WebAssembly.Instance.prototype, { exports: { value: { ...x, post } } });
    };
  });
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  const stopped = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo", partSize: 5 << 20 });
    let keepers = 0;
    new BroadcastChannel("keepers").onmessage = () => keepers++;
    const stop = new AbortController();
    const upload = uploader.upload(/** @type {any} */ (window).files[0], { signal: stop.signal });
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5) stop.abort("enough");
    });
    const reason = await upload.result.catch((/** @type {any} */ e) => e);
    const pending = await uploader.pending();
    return { reason, pending: pending.map((/** @type {any} */ p) => p.name), keepers };
  });
  assert.deepEqual(stopped, { reason: "enough", pending: ["film.bin"], keepers: 1 });
});

test("a trap in the page's signer: it signs on in a new module", async (t) => {
  const s = await stage(t);
  const page = await s.browser.newPage();
  await page.evaluateOnNewDocument(() => {
    const real = WebAssembly.instantiate;
    const w = /** @type {any} */ (window);
    w.made = 0;
    WebAssembly.instantiateStreaming = async (source, imports) => {
      const made = await real(await (await source).arrayBuffer(), imports);
      const x = /** @type {any} */ (made.instance.exports);
      const trapAt = ++w.made === 1 ? 5 : Infinity;
      let calls = 0;
      const post = (/** @type {number} */ n) => {
        if (++calls >= trapAt) throw new WebAssembly.RuntimeError("unreachable");
        return x.post(n);
      };
      return { ...made, instance: Object.create(WebAssembly.Instance.prototype, { exports: { value: { ...x, post } } }) };
    };
  });
  await openDemo(s, { page });
  const { signatures, made } = await page.evaluate(async () => {
    const { createSigner } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
    const make = () => createSigner({ credentials, region: "eu-west-1", bucket: "b", key: "k", now: () => 0 });
    const [a, b] = await Promise.all([make(), make()]);
    const sign = (/** @type {any} */ signer) => signer.signChunk({ uploadId: "u", partNumber: 1, body: "x" });
    const signed = await Promise.all([a, b, a, b, a, b, a, b].map(sign));
    return { signatures: signed.map((r) => r.headers.Authorization ?? r.headers.authorization), made: /** @type {any} */ (window).made };
  });
  assert.equal(made, 2);
  assert.equal(signatures.length, 8);
  assert.match(signatures[0], /Signature=[0-9a-f]{64}$/);
  assert.deepEqual([...new Set(signatures)], [signatures[0]], "the same request is signed alike by both modules");
});
