import assert from "node:assert/strict";
import { mkdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { destination, giveFiles, inWorkers, objects, openDemo, orphanParts, randomFile, sha256, slow, stage, until } from "./harness.js";

const MiB = 1 << 20;

/**
 * Uploads window.files[0] and stops after five parts of 5 MiB.
 *
 * @param {import("puppeteer-core").Page} page
 */
const leave = (page) =>
  page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination, partSize: 5 << 20, maxBytesPerSecond: slow });
    const stop = new AbortController();
    const upload = uploader.upload(/** @type {any} */ (window).files[0], { signal: stop.signal });
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5) stop.abort("enough");
    });
    const reason = await upload.result.catch((/** @type {any} */ e) => e);
    if (reason !== "enough") throw reason;
    new Uploader({ destination, maxBytesPerSecond: Infinity });
    await uploader.pending(); // which waits for the last of the record to be written
  });

test("another file of the same name and size is noticed and the upload kept; a copy with another date goes on", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 160 * MiB);
  await mkdir(join(s.tmp, "other"));
  const other = await randomFile(join(s.tmp, "other"), "film.bin", 160 * MiB);
  const page = await openDemo(s);
  await giveFiles(page, file.path);
  await leave(page);
  const resume = () =>
    page.evaluate(async () => {
      const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      const uploader = new Uploader({ destination });
      const [pending] = await uploader.pending();
      const outcome = await uploader.resume(pending, /** @type {any} */ (window).files[0]).result.catch((/** @type {any} */ e) => e);
      return { code: outcome.code ?? "", key: outcome.key ?? "", pending: (await uploader.pending()).length };
    });

  await giveFiles(page, other.path);
  assert.deepEqual(await resume(), { code: "different_file", key: "", pending: 1 });
  assert.ok((await orphanParts(s.data)).length >= 5, "the store's parts are kept");

  await utimes(file.path, new Date(2020, 1, 1), new Date(2020, 1, 1));
  await giveFiles(page, file.path);
  const { code, key, pending } = await resume();
  assert.deepEqual([code, pending], ["", 0]);
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
});

test("damaged, truncated and future records are set aside, said once, and hurt nobody", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 160 * MiB);
  const page = await openDemo(s);
  await giveFiles(page, file.path);
  await leave(page);
  // Copies of the good record, each with something wrong. A record's file is "CSJ", a version,
  // the payload's length and its CRC-32, and the payload; in that is the engine's, the last field.
  await page.evaluate(async () => {
    const wait = (/** @type {IDBRequest} */ r) => new Promise((resolve, reject) => {
      r.onsuccess = () => resolve(r.result);
      r.onerror = () => reject(r.error);
    });
    const crc = (/** @type {Uint8Array} */ bytes) => {
      let c = ~0;
      for (const b of bytes) {
        c ^= b;
        for (let i = 0; i < 8; i++) c = (c >>> 1) ^ (c & 1 ? 0xedb88320 : 0);
      }
      return ~c >>> 0;
    };
    const db = /** @type {IDBDatabase} */ (await wait(indexedDB.open("chunksign-journal")));
    const t = db.transaction(["contents", "info"], "readwrite");
    const contents = t.objectStore("contents"), info = t.objectStore("info");
    const [key] = /** @type {string[]} */ (await wait(contents.getAllKeys()));
    const good = /** @type {Uint8Array} */ (await wait(contents.get(key ?? "")));
    const about = /** @type {any} */ (await wait(info.get(key ?? "")));
    const damaged = good.slice();
    damaged[200] = ~(damaged[200] ?? 0);
    const newer = good.slice();
    newer[3] = 9;
    const later = good.slice(); // well kept, of an engine to come
    const view = new DataView(later.buffer);
    const at = [0, 1].reduce((at) => at + 4 + view.getUint32(at, true), 13) + 4; // behind a version and two names
    later[at] = 99;
    view.setUint32(8, crc(new Uint8Array([...later.subarray(0, 8), ...later.subarray(12)])), true);
    const bad = { "1-damaged": damaged, "1-truncated": good.slice(0, 300), "1-empty": new Uint8Array(), "1-newer": newer, [`${Date.now().toString(36)}-later`]: later };
    for (const [id, bytes] of Object.entries(bad)) {
      contents.put(bytes, `records/${id}`);
      info.put({ ...about, Size: bytes.length }, `records/${id}`);
    }
    await new Promise((resolve) => (t.oncomplete = resolve));
    db.close();
  });

  const { names, warnings, key, left } = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    /** @type {string[]} */
    const warnings = [];
    uploader.addEventListener("warning", (/** @type {any} */ e) => warnings.push(`${e.detail.code} ${/-(\w+) of/.exec(e.detail.message)?.[1] ?? e.detail.message}`));
    await uploader.pending();
    const list = await uploader.pending();
    if (!list[0]) throw new Error(`no upload is pending; ${warnings.join("; ")}`);
    const { key } = await uploader.resume(list[0], /** @type {any} */ (window).files[0]).result;
    return { names: list.map((/** @type {any} */ p) => p.name), warnings: warnings.sort(), key, left: (await uploader.pending()).length };
  });
  assert.deepEqual(names, ["film.bin"]);
  assert.deepEqual(warnings, ["damaged", "empty", "later", "newer", "truncated"].map((w) => `record_set_aside ${w}`));
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.equal(left, 0);
});

test("an expired upload is aborted at the store and forgotten", { timeout: 120_000 }, async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 160 * MiB);
  const page = await s.browser.newPage();
  // A grant that the page believes to end in five seconds.
  await inWorkers(page, () => {
    const real = fetch;
    globalThis.fetch = async (input, init) => {
      const reply = await real(input, init);
      if (!String(input).endsWith("/uploads")) return reply;
      const body = await reply.json();
      return Response.json({ ...body, expires: new Date(Date.now() + 5000).toISOString() });
    };
  });
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  await leave(page);
  assert.ok((await orphanParts(s.data)).length >= 5);
  await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    const [pending] = await uploader.pending();
    if (!(pending.expires > new Date())) throw new Error(`it expires at ${pending.expires}`);
    while ((await uploader.pending()).length > 0);
  });
  await until("the store has no parts", async () => (await orphanParts(s.data)).length === 0);
  await page.waitForFunction(() => /** @type {Promise<boolean>} */ (
    new Promise((resolve) => {
      const opening = indexedDB.open("chunksign-journal");
      opening.onsuccess = () => {
        const keys = opening.result.transaction("info").objectStore("info").getAllKeys();
        keys.onsuccess = () => resolve(!keys.result.some((k) => String(k).startsWith("records/")));
        opening.result.close();
      };
    })
  ));
  assert.deepEqual(await objects(join(s.data, "demo")), []);
});

test("a clock that is a month ahead expires nothing", { timeout: 120_000 }, async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 160 * MiB);
  const before = await openDemo(s);
  await giveFiles(before, file.path);
  await leave(before);
  await before.close();
  const page = await s.browser.newPage();
  await inWorkers(page, () => {
    const month = 30 * 86_400_000;
    const { now } = Date;
    Date.now = () => now() + month;
    Object.defineProperty(performance, "timeOrigin", { value: performance.timeOrigin + month });
  });
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  const key = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    let [pending] = await uploader.pending();
    while (!pending) {
      await new Promise((resolve) => uploader.addEventListener("pending", resolve, { once: true }));
      [pending] = await uploader.pending();
    }
    return (await uploader.resume(pending, /** @type {any} */ (window).files[0]).result).key;
  });
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
});
