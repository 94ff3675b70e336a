import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { giveFiles, openDemo, orphanParts, partsReceived, randomFile, sha256, stage } from "./harness.js";

const MiB = 1 << 20;

test("the second tab shows the first one's upload, may not touch it, and takes it over when that one goes", async (t) => {
  const s = await stage(t, { serverArgs: ["-log", "debug"] });
  const file = await randomFile(s.tmp, "long.bin", 320 * MiB);
  const first = await openDemo(s);
  await giveFiles(first, file.path);
  await first.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const upload = new Uploader({ destination: "demo", partSize: 5 << 20 }).upload(/** @type {any} */ (window).files[0]);
    await /** @type {Promise<void>} */ (new Promise((resolve) => {
      upload.addEventListener("progress", () => {
        if (upload.progress.partsDone < 10) return;
        upload.pause({ force: true });
        resolve();
      });
    }));
  });

  const second = await openDemo(s);
  await giveFiles(second, file.path);
  const seen = await second.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const w = /** @type {any} */ (window);
    w.uploader = new Uploader({ destination: "demo", partSize: 5 << 20 });
    w.lists = [];
    // The tab that works on it says how far it is, and that it is paused.
    const told = new Promise((resolve) => {
      w.uploader.addEventListener("pending", (/** @type {any} */ e) => {
        w.lists.push(e.detail);
        if (e.detail[0]?.progress?.state === "paused") resolve(e.detail);
      });
    });
    const [now] = await w.uploader.pending();
    const [later] = /** @type {any[]} */ (await told);
    const refused = await w.uploader.resume(now, w.files[0]).result.catch((/** @type {any} */ e) => e.code);
    return { name: now.name, inOtherTab: now.inOtherTab, confirmed: later.progress.confirmed, refused };
  });
  assert.equal(seen.name, "long.bin");
  assert.equal(seen.inOtherTab, true);
  assert.ok(seen.confirmed >= 50 * MiB, `confirmed there: ${seen.confirmed}`);
  assert.equal(seen.refused, "in_other_tab");

  await first.close({ runBeforeUnload: false });
  const key = await second.evaluate(async () => {
    const w = /** @type {any} */ (window);
    const free = () => w.lists.at(-1)?.find((/** @type {any} */ p) => !p.inOtherTab);
    while (!free()) await new Promise((resolve) => w.uploader.addEventListener("pending", resolve, { once: true }));
    const { result } = w.uploader.resume(free(), w.files[0]);
    return (await result).key;
  });
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.deepEqual(await orphanParts(s.data), []);
  const { before, after } = partsReceived(s.log());
  assert.ok(before.size >= 10, `parts before the ListParts: ${[...before]}`);
  assert.deepEqual(after.filter((n) => before.has(n)), [], "parts that the store had confirmed were sent again");
  const left = await second.evaluate(async () => (await /** @type {any} */ (window).uploader.pending()).length);
  assert.equal(left, 0);
});

test("a tab hears of what another leaves and of what it discards", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "left.bin", 160 * MiB);
  const watching = await openDemo(s);
  await watching.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const w = /** @type {any} */ (window);
    w.uploader = new Uploader({ destination: "demo" });
    w.uploader.addEventListener("pending", (/** @type {any} */ e) => (w.list = e.detail));
  });
  const working = await openDemo(s);
  await giveFiles(working, file.path);
  await working.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const stop = new AbortController();
    const upload = new Uploader({ destination: "demo", partSize: 5 << 20 }).upload(/** @type {any} */ (window).files[0], { signal: stop.signal });
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5) stop.abort();
    });
    await upload.result.catch(() => undefined);
  });
  await watching.bringToFront();
  await watching.waitForFunction(() => /** @type {any} */ (window).list?.[0]?.inOtherTab === false);
  await working.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo" });
    const [pending] = await uploader.pending();
    await uploader.discard(pending);
  });
  await watching.waitForFunction(() => /** @type {any} */ (window).list?.length === 0);
  assert.deepEqual(await orphanParts(s.data), []);
});

test("the demo page shows another tab's upload, and offers to go on when it is free", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "long.bin", 512 * MiB);
  const first = await openDemo(s);
  await /** @type {any} */ (await first.waitForSelector("#files")).uploadFile(file.path);
  await first.waitForFunction(() => Number(document.querySelector("[role=progressbar][aria-label='long.bin']")?.getAttribute("aria-valuenow")) > 5);
  await first.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('[data-action="pause"]')).click());
  await first.waitForSelector('[data-upload][data-state="paused"]');
  const second = await openDemo(s);
  await second.waitForFunction(() => /In another tab · \d+% of 537.MB · paused/.test(document.querySelector("[data-elsewhere]")?.textContent ?? ""));
  assert.equal(await second.$("[data-pending] button:not([hidden])[data-action=continue]"), null);
  await first.close({ runBeforeUnload: false });
  await second.waitForSelector("[data-pending]:not([data-elsewhere]) [data-action=continue]:not([hidden])");
  await /** @type {any} */ (await second.waitForSelector("#files")).uploadFile(file.path);
  await second.waitForSelector('[data-upload][data-resumed][data-state="done"]', { timeout: 120_000 });
  const key = await second.$eval("[data-key]", (e) => e.textContent ?? "");
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.deepEqual(await orphanParts(s.data), []);
});
