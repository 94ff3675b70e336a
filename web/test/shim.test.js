// The pages that have EvaporateJS, with nothing but their import changed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDemo, orphanParts, randomFile, stage, until } from "./harness.js";
import { arrived, changeImport, choose, names, upload } from "./widget.js";

/** Parts that a test can stop between. */
const small = { partSize: 5 << 20, progressIntervalMS: 50 };

/**
 * A page that calls what there is to do as `window.act`, once bytes of the file are on
 * their way and long before its last part is: what starts a part is slow until then.
 *
 * @param {import("puppeteer-core").Page} page
 */
const underWay = (page) =>
  page.evaluate(async () => {
    const w = /** @type {any} */ (window);
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const limit = (/** @type {number} */ maxBytesPerSecond) => void new Uploader({ destination: "demo", maxBytesPerSecond });
    limit(5e6);
    w.onCall = (/** @type {string} */ name, /** @type {any} */ value) => {
      if (name === "started") w.id ??= value;
      if (name === "paused") w.rests = true;
      if (name !== "uploadInitiated") return;
      const { upload } = w.evaporate.pendingFiles[w.id];
      const look = () => {
        if (upload.progress.sent === 0) return;
        upload.removeEventListener("progress", look);
        limit(Infinity);
        w.act();
      };
      upload.addEventListener("progress", look);
    };
  });

/**
 * @param {import("./harness.js").Stage} s
 * @param {number} size
 */
async function shimPage(s, size) {
  const page = await openDemo(s);
  await changeImport(page);
  const file = await randomFile(s.tmp, "näme (1)'!.bin", size);
  await choose(page, file.path);
  return { page, file };
}

for (const [what, signer, dest] of /** @type {const} */ ([
  ["/evaporate/sign and a dest", "signerUrl", "demo-s3direct"],
  ["a grant of its own", "grant", "demo-s3direct"],
  ["a grant of its own, where the server signs,", "grant", "demo-presigned"],
])) {
  test(`a page that has ${what} uploads`, async (t) => {
    const s = await stage(t);
    const { page, file } = await shimPage(s, 45e6);
    const done = await upload(page, signer, { dest });
    await arrived(s, done, file);
    assert.deepEqual(names(done.calls, "progress", "info"), ["started", "uploadInitiated", "complete"]);
  });
}

test("pause waits for the parts under way, with force it drops them; resume goes on", async (t) => {
  const s = await stage(t);
  const { page, file } = await shimPage(s, 60 << 20); // 12 parts, 5 at a time
  await underWay(page);
  await page.evaluate(() => {
    const w = /** @type {any} */ (window);
    w.errors = [];
    w.act = async () => {
      const e = w.evaporate;
      const refused = (/** @type {Promise<unknown>} */ p) => p.then(() => "nothing", (why) => why);
      const pausing = e.pause(w.id);
      w.errors.push(await refused(e.resume("demo/other")), await refused(e.pause("demo/other")), await refused(e.cancel("demo/other")));
      await pausing;
      w.left = e.pendingFiles[w.id].upload.progress;
      w.errors.push(await refused(e.pause(w.id)), e.evaporatingCount);
      await e.resume(w.id);
      w.errors.push(await refused(e.resume(w.id)));
      await e.pause(undefined, { force: true });
      w.errors.push(await refused(e.cancel())); // a paused file is not cancelled with all
      await e.resume();
    };
  });
  const done = await upload(page, "view", small);
  assert.equal(done.refused, "");
  assert.equal(await s.stored(done.key), file.sha256);
  assert.deepEqual(names(done.calls, "progress", "info"), [
    "started", "uploadInitiated", "pausing", "paused", "resumed", "started", "paused", "resumed", "started", "complete",
  ]);
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).errors), [
    "Cannot pause a file that does not exist.", "Cannot pause a file that has not been added.", "File does not exist",
    "Cannot pause a file that is already paused.", 0, "Cannot resume a file that has not been paused.", "No files to cancel.",
  ]);
  const left = await page.evaluate(() => /** @type {any} */ (window).left);
  assert.ok(left.sending === 0 && left.partsDone > 0 && left.partsDone < left.parts, `it paused with ${JSON.stringify(left)}`);
  // Nothing is told of a file that is paused.
  const texts = done.calls.map(([name]) => name).join(" ");
  assert.doesNotMatch(texts, /paused (info )*progress (info )*resumed/);
});

test("cancel removes what the store has, and add rejects", async (t) => {
  const s = await stage(t);
  const { page } = await shimPage(s, 60 << 20);
  await underWay(page);
  await page.evaluate(() => {
    const w = /** @type {any} */ (window);
    w.act = () => (w.cancelling = w.evaporate.cancel(w.id));
  });
  const done = await upload(page, "view", small);
  assert.equal(done.refused, "User aborted the upload");
  assert.deepEqual(names(done.calls, "progress", "info"), ["started", "uploadInitiated", "cancelled"]);
  await page.evaluate(() => /** @type {any} */ (window).cancelling);
  assert.deepEqual(await orphanParts(s.data), []);
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).evaporate.cancel().catch((/** @type {string} */ e) => e)), "No files to cancel.");
});

test("after a reload it goes on with the parts that the store has, under the first name", async (t) => {
  const s = await stage(t, { serverArgs: ["-log", "debug"] });
  const { page, file } = await shimPage(s, 60 << 20);
  await underWay(page);
  await page.evaluate(() => {
    const w = /** @type {any} */ (window);
    w.act = () => w.evaporate.pause(w.id);
  });
  const first = upload(page, "view", small).then(() => assert.fail("it was not to end"), () => undefined); // the page goes
  await page.waitForFunction(() => /** @type {any} */ (window).rests);
  const other = await openDemo(s);
  await until("the journal has the upload", () => other.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    return (await new Uploader({ destination: "demo-s3direct" }).pending()).length === 1;
  }));
  await page.close();
  await first;
  const kept = (await orphanParts(s.data)).length;
  assert.ok(kept > 0 && kept < 12, `${kept} parts are kept`);

  const again = await openDemo(s);
  await changeImport(again);
  await choose(again, file.path);
  const anew = await upload(again, "view", { ...small, onlyRetryForSameFileName: true });
  assert.deepEqual([anew.refused, anew.key], ["", anew.params.object_key], "its name is another");
  assert.equal((await orphanParts(s.data)).length, kept);

  const before = s.log().length;
  const done = await upload(again, "view", small);
  assert.equal(done.refused, "");
  assert.notEqual(done.key, done.params.object_key, "the second name was used, so nothing was gone on with");
  assert.deepEqual(done.calls.find(([name]) => name === "nameChanged")?.slice(1).map(decodeURIComponent), [done.key]);
  assert.deepEqual(names(done.calls, "progress", "info"), ["started", "nameChanged", "complete"]);
  assert.equal(await s.stored(done.key), file.sha256);
  assert.equal(s.log().slice(before).match(/method=PUT .*partNumber=\d+ .*status=200/g)?.length, 12 - kept, "parts that the store had were sent again");
  assert.deepEqual(await orphanParts(s.data), []);
});
