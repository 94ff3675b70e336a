import assert from "node:assert/strict";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { browserName, openDemo, orphanParts, pressUnderWay, randomFile, sha256, slow, stage, until } from "./harness.js";

const MiB = 1 << 20;

/**
 * Makes a file in the origin's own file system, whose handles browsers keep like
 * those of files on the disk; uploads it by its handle, and stops after five
 * parts. Gives the file's SHA-256.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {number} size
 */
const leave = (page, size) =>
  page.evaluate(async (size) => {
    const root = await navigator.storage.getDirectory();
    const handle = await root.getFileHandle("kept.bin", { create: true });
    const out = await handle.createWritable();
    const block = new Uint8Array(1 << 16);
    for (let at = 0; at < size; at += block.length) await out.write(crypto.getRandomValues(block));
    await out.close();
    const bytes = await (await handle.getFile()).arrayBuffer();
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo", partSize: 5 << 20, maxBytesPerSecond: slow });
    const stop = new AbortController();
    const upload = uploader.upload(handle, { signal: stop.signal });
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5) stop.abort("enough");
    });
    const reason = await upload.result.catch((/** @type {any} */ e) => e);
    if (reason !== "enough" || upload.progress.total !== size) throw new Error(`${reason}, ${upload.progress.total} bytes`);
    new Uploader({ destination: "demo", maxBytesPerSecond: Infinity });
    while (!(await uploader.pending())[0]?.canReopen); // the record and the handle are written by themselves
    return [...sum].map((b) => b.toString(16).padStart(2, "0")).join("");
  }, size);

/** @param {import("puppeteer-core").Page} page */
const handlesKept = (page) =>
  page.evaluate(
    () =>
      /** @type {Promise<number>} */ (
        new Promise((resolve, reject) => {
          const opening = indexedDB.open("chunksign-handles");
          opening.onsuccess = () => {
            const count = opening.result.transaction("handles").objectStore("handles").count();
            count.onsuccess = () => resolve(count.result);
            opening.result.close();
          };
          opening.onerror = () => reject(opening.error);
        })
      ),
  );

test("an upload by a handle goes on after a reload without picking the file, and its handle goes with it", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const sum = await leave(page, 96 * MiB);
  assert.equal(await handlesKept(page), 1);
  await page.reload();
  await page.waitForSelector("body[data-ready=true]");
  const done = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo", partSize: 5 << 20 });
    const [pending] = await uploader.pending();
    if (!pending.canReopen) throw new Error("it cannot be opened again");
    return uploader.resume(pending).result;
  });
  assert.equal(await sha256(join(s.data, "demo", done.key)), sum);
  assert.deepEqual(await orphanParts(s.data), []);
  await untilNoHandles(page);
});

test("a file that may not be read, or is gone, is said; the upload stays and takes another pick", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const sum = await leave(page, 64 * MiB);
  const said = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo", partSize: 5 << 20 });
    const root = await navigator.storage.getDirectory();
    const file = await (await root.getFileHandle("kept.bin")).getFile();
    const copy = new File([await file.arrayBuffer()], file.name, { lastModified: file.lastModified });
    const outcome = async () => {
      const [pending] = await uploader.pending();
      return uploader.resume(pending).result.then(() => "done", (/** @type {any} */ e) => `${e.code} ${e.name} ${e.cause?.name}`);
    };
    // The user's answer to the browser's question, which these files do not bring up.
    const handles = /** @type {any} */ (FileSystemFileHandle.prototype);
    const own = handles.requestPermission;
    handles.requestPermission = async () => "denied";
    const said = [await outcome()];
    handles.requestPermission = own;
    await root.removeEntry("kept.bin");
    said.push(await outcome());
    const [pending] = await uploader.pending();
    const { key } = await uploader.resume(pending, copy).result;
    return { said, key };
  });
  assert.deepEqual(said.said, ["permission_denied UploadError undefined", "file_unreadable UploadError NotFoundError"]);
  assert.equal(await sha256(join(s.data, "demo", said.key)), sum);
  await untilNoHandles(page);
});

test("a discarded upload's handle goes too", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await leave(page, 64 * MiB);
  await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo" });
    const [pending] = await uploader.pending();
    await uploader.discard(pending);
  });
  assert.deepEqual(await orphanParts(s.data), []);
  await untilNoHandles(page);
});

/**
 * Waits until another tab sees that so many uploads can go on by their handles.
 *
 * @param {import("./harness.js").Stage} s
 * @param {number} uploads
 */
async function handled(s, uploads) {
  const other = await openDemo(s);
  await other.evaluate(async (uploads) => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination: "demo" });
    while ((await uploader.pending()).filter((/** @type {any} */ p) => p.canReopen).length < uploads);
  }, uploads);
  await other.close();
}

/** @param {import("puppeteer-core").Page} page */
const untilNoHandles = (page) => until("no handle is kept", async () => (await handlesKept(page)) === 0);

test("the demo page goes on with a file of its picker by one click", async (t) => {
  const s = await stage(t);
  const page = await s.browser.newPage();
  // The picker itself is the browser's own window; what it gives is a real handle.
  await page.evaluateOnNewDocument(() => {
    const file = async () => (await navigator.storage.getDirectory()).getFileHandle("picked.bin", { create: true });
    Object.assign(window, { file, showOpenFilePicker: async () => [await file()] });
  });
  page.on("dialog", (d) => void d.accept()); // "leave this page?"
  await openDemo(s, { page });
  const size = 160 * MiB;
  await page.evaluate(async (size) => {
    const out = await (await /** @type {any} */ (window).file()).createWritable();
    const block = crypto.getRandomValues(new Uint8Array(1 << 16));
    for (let at = 0; at < size; at += block.length) await out.write(block);
    await out.close();
  }, size);
  await page.click("#choose");
  await pressUnderWay(page, "picked.bin", "pause");
  await page.waitForSelector('[data-upload][data-state="paused"]');
  await handled(s, 1);
  await page.reload();
  await page.waitForFunction(() => document.querySelector("[data-pending] [data-action=continue]")?.textContent === "Go on");
  await page.click("[data-pending] [data-action=continue]");
  await page.waitForSelector('[data-upload][data-name="picked.bin"][data-resumed][data-state="done"]', { timeout: 120_000 });
  const key = await page.$eval("[data-key]", (e) => e.textContent ?? "");
  assert.equal((await stat(join(s.data, "demo", key))).size, size);
  assert.deepEqual(await orphanParts(s.data), []);
  await untilNoHandles(page);
});

// Firefox gives no handles of what is dropped, and no way to drop from outside.
if (browserName === "chrome") {
  test("files of the disk that are dropped, in a folder too, need no second picking", async (t) => {
    const s = await stage(t);
    await mkdir(join(s.tmp, "folder", "inside"), { recursive: true });
    const file = await randomFile(s.tmp, "dropped.bin", 256 * MiB);
    const inner = await randomFile(join(s.tmp, "folder", "inside"), "inner.bin", 256 * MiB);
    const page = await openDemo(s);
    page.on("dialog", (d) => void d.accept()); // "leave this page?"
    const devtools = await page.createCDPSession();
    const data = { items: [], files: [file.path, join(s.tmp, "folder")], dragOperationsMask: 1 };
    for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"])) await devtools.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
    await Promise.all([file, inner].map(({ name }) => pressUnderWay(page, name, "pause")));
    await page.waitForFunction(() => document.querySelectorAll("[data-upload][data-state=paused]").length === 2);
    await handled(s, 2);
    await page.reload();
    await page.waitForFunction(() => {
      const buttons = [...document.querySelectorAll("[data-pending] [data-action=continue]")];
      return buttons.length === 2 && buttons.every((b) => b.textContent === "Go on");
    });
    // What the browser then asks cannot be answered from here.
  });
}
