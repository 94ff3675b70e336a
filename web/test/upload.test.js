import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { browserName, destination, giveFiles, objects, openDemo, orphanParts, partsReceived, randomFile, recorded, sha256, stage } from "./harness.js";

const MiB = 1 << 20;

test("files dropped on the demo page land byte for byte", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const files = [
    await randomFile(s.tmp, "film.bin", 64 * MiB + 12345),
    await randomFile(s.tmp, "empty.txt", 0),
    await randomFile(s.tmp, "one.bin", 1),
    await randomFile(s.tmp, "näme 名前 (1).bin", 9 * MiB),
  ];
  const input = await page.waitForSelector("#files");
  await /** @type {any} */ (input).uploadFile(...files.map((f) => f.path));
  for (const file of files) {
    await page.waitForFunction(
      (name) => [...document.querySelectorAll("[data-upload]")].some((e) => e instanceof HTMLElement && e.dataset["name"] === name && e.dataset["state"] === "done"),
      { timeout: 120_000 },
      file.name,
    );
  }
  const landed = await objects(join(s.data, "demo"));
  assert.equal(landed.length, files.length, `in the bucket: ${landed}`);
  for (const file of files) {
    const path = landed.find((p) => p.endsWith(`/${file.name.normalize("NFC")}`));
    assert.ok(path, `${file.name} is not among ${landed}`);
    assert.equal(await sha256(join(s.data, "demo", path)), file.sha256);
  }
  assert.deepEqual(await orphanParts(s.data), []);

  // The link reads the object back, as its owner.
  const href = await page.$eval(`[data-name="one.bin"] a[data-result]`, (a) => /** @type {HTMLAnchorElement} */ (a).href);
  const got = await (await fetch(href)).arrayBuffer();
  assert.equal(got.byteLength, 1);
});

test("a reload in the middle goes on from the parts that the store confirms", async (t) => {
  const s = await stage(t, { serverArgs: ["-log", "debug"] });
  const file = await randomFile(s.tmp, "long.bin", 320 * MiB);
  let page = await openDemo(s);
  await giveFiles(page, file.path);
  await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const w = /** @type {any} */ (window);
    const upload = (w.upload = new Uploader({ destination, partSize: 5 << 20 }).upload(w.files[0]));
    await new Promise((resolve) => upload.addEventListener("progress", () => upload.progress.partsDone >= 5 && resolve(upload.pause())));
  });
  await recorded(s);
  // The page goes away as soon as ten parts are confirmed, with others under way.
  await Promise.all([
    page.waitForNavigation({ timeout: 120_000 }),
    page.evaluate(() => {
      const { upload } = /** @type {any} */ (window);
      upload.resume();
      upload.addEventListener("progress", () => {
        if (upload.progress.partsDone >= 10) location.reload();
      });
    }),
  ]);
  const before = (await orphanParts(s.data)).length;
  assert.ok(before >= 10, `the store has ${before} parts after the reload`);

  await page.waitForSelector("body[data-ready=true]");
  await page.waitForSelector("[data-pending]");
  await giveFiles(page, file.path);
  const object = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    const [pending] = await uploader.pending();
    return uploader.resume(pending, /** @type {any} */ (window).files[0]).result;
  });
  assert.equal(await sha256(join(s.data, "demo", object.key)), file.sha256);
  assert.deepEqual(await orphanParts(s.data), []);

  // What the store had when it was asked is not sent again.
  const { before: listed, after } = partsReceived(s.log());
  assert.ok(listed.size >= 10, `parts before the ListParts: ${[...listed]}`);
  assert.equal(new Set([...listed, ...after]).size, 64);
  assert.deepEqual(after.filter((n) => listed.has(n)), [], "parts that the store had confirmed were sent again");
  assert.equal(await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    return (await new Uploader({ destination }).pending()).length;
  }), 0, "the journal has forgotten the finished upload");
});

// Chromium drops a blob's stream that only a pending read refers to, and the
// read never ends: of uploads of 512 MiB, one in fifteen stood still.
// gc() is V8's, so this is Chromium's test.
if (browserName === "chrome") {
  test("an upload ends however often the browser collects garbage", async (t) => {
    const s = await stage(t, { browserArgs: ["--js-flags=--expose-gc"] });
    const file = await randomFile(s.tmp, "film.bin", 64 * MiB);
    const page = await openDemo(s);
    await giveFiles(page, file.path);
    const [worker] = page.workers(); // the demo page has asked it for interrupted uploads
    await worker?.evaluate(() => void setInterval(/** @type {any} */ (globalThis).gc, 5));
    const object = await page.evaluate(async () => {
      const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      return new Uploader({ destination }).upload(/** @type {any} */ (window).files[0]).result;
    });
    assert.equal(await sha256(join(s.data, "demo", object.key)), file.sha256);
  });
}

test("a cancel leaves no parts behind", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "unwanted.bin", 320 * MiB);
  const page = await openDemo(s);
  await giveFiles(page, file.path);
  const code = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination, partSize: 5 << 20 });
    const upload = uploader.upload(/** @type {any} */ (window).files[0]);
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5) upload.cancel();
    });
    const error = await upload.result.catch((/** @type {any} */ e) => e);
    return `${error.code} ${upload.state} ${(await uploader.pending()).length}`;
  });
  assert.equal(code, "cancelled cancelled 0");
  assert.deepEqual(await orphanParts(s.data), []);
  assert.deepEqual(await objects(join(s.data, "demo")), []);
});

test("an unfinished upload can be discarded without its file", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "left.bin", 160 * MiB);
  const page = await openDemo(s);
  await giveFiles(page, file.path);
  const code = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination, partSize: 5 << 20 });
    const stop = new AbortController();
    const upload = uploader.upload(/** @type {any} */ (window).files[0], { signal: stop.signal });
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5) stop.abort("no more");
    });
    const reason = await upload.result.catch((/** @type {any} */ e) => e);
    const pending = await uploader.pending();
    return `${reason} ${pending.length} ${pending[0]?.name}`;
  });
  assert.equal(code, "no more 1 left.bin");
  assert.ok((await orphanParts(s.data)).length >= 5, "the signal keeps what the store has");
  await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    const [pending] = await uploader.pending();
    await uploader.discard(pending);
    if ((await uploader.pending()).length) throw new Error("still pending");
  });
  assert.deepEqual(await orphanParts(s.data), []);
});

test("pause stops the bytes and resume finishes", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "paused.bin", 160 * MiB);
  const page = await openDemo(s);
  await giveFiles(page, file.path);
  const { key, states } = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const upload = new Uploader({ destination, partSize: 5 << 20 }).upload(/** @type {any} */ (window).files[0]);
    /** @type {string[]} */
    const states = [];
    upload.addEventListener("state", () => {
      states.push(upload.state);
      if (upload.state === "paused") upload.resume();
    });
    let paused = false;
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5 && !paused) {
        paused = true;
        upload.pause({ force: true });
      }
    });
    return { key: (await upload.result).key, states };
  });
  assert.deepEqual(states, ["preparing", "uploading", "paused", "uploading", "finishing", "done"]);
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
});

test("a file whose bytes are at its key already is not sent again, another of its name and size is refused", async (t) => {
  const s = await stage(t, { serverArgs: ["-log", "debug"] });
  const file = await randomFile(s.tmp, "once.bin", 12 * MiB);
  const page = await openDemo(s);
  const upload = async () => {
    await giveFiles(page, file.path);
    return page.evaluate(async () => {
      const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      const upload = new Uploader({ destination: "demo-once", partSize: 5 << 20 }).upload(/** @type {any} */ (window).files[0]);
      const { key = "", code = "" } = await upload.result.catch((/** @type {any} */ e) => e);
      return { key, code };
    });
  };
  const sends = () => s.log().split("\n").filter((line) => /msg=s3 method=(PUT|POST) path=\S*once\.bin /.test(line)).length;

  const first = await upload();
  const before = sends();
  assert.equal(before, 5, "a Create, three parts, a Complete");
  const second = await upload();
  assert.deepEqual(second, first);
  assert.equal(sends(), before, "something was sent for the bytes that were there");

  await randomFile(s.tmp, "once.bin", 12 * MiB);
  const third = await upload();
  assert.deepEqual(third, { key: "", code: "key_taken" });
  assert.equal(sends(), before, "something was sent for the other bytes");
  assert.equal(await sha256(join(s.data, "demo", first.key)), file.sha256);
});

test("a thousand small files at once", async (t) => {
  const s = await stage(t);
  const files = [];
  for (let i = 0; i < 1000; i++) files.push(await randomFile(s.tmp, `small-${i}.bin`, i * 37));
  const page = await openDemo(s);
  await giveFiles(page, ...files.map((f) => f.path));
  const keys = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    const objects = await Promise.all(/** @type {any} */ (window).files.map((/** @type {File} */ f) => uploader.upload(f).result));
    return objects.map((o) => o.key);
  });
  for (const [i, file] of files.entries()) assert.equal(await sha256(join(s.data, "demo", keys[i])), file.sha256);
});

test("a file that is gone, before or in the middle, is said and nothing is completed", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  for (const when of ["before", "in the middle"]) {
    const file = await randomFile(s.tmp, `gone ${when}.bin`, 320 * MiB);
    await giveFiles(page, file.path);
    if (when === "before") await rm(file.path);
    else await page.exposeFunction("removeFile", () => rm(file.path));
    const error = await page.evaluate(async () => {
      const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      const upload = new Uploader({ destination, partSize: 5 << 20 }).upload(/** @type {any} */ (window).files[0]);
      upload.addEventListener("progress", () => {
        if (upload.progress.partsDone >= 3) /** @type {any} */ (window).removeFile?.();
      });
      const e = await upload.result.catch((/** @type {any} */ e) => e);
      return { code: e.code, message: e.message, state: upload.state };
    });
    assert.equal(error.code, "file_unreadable", when);
    assert.equal(error.state, "failed");
    assert.ok(error.message.startsWith(`"gone ${when}.bin" cannot be read`), error.message);
    assert.deepEqual(await objects(join(s.data, "demo")), []);
  }
});

test("options that make no sense are refused with the field, the value and the fix", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const messages = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const said = [];
    for (const options of [{}, { destination, partSize: 1 }, { destination, concurrency: 7 }, { destination, endpoint: "http://" }]) {
      try {
        new Uploader(options);
      } catch (e) {
        said.push(/** @type {Error} */ (e).message);
      }
    }
    const e = await new Uploader({ destination: "nowhere" }).upload(new File(["x"], "x")).result.catch((/** @type {any} */ e) => e);
    said.push(`${e.status} ${e.code}`);
    return said;
  });
  assert.match(messages[0] ?? "", /^destination: /);
  assert.match(messages[1] ?? "", /^partSize: 1; S3 takes/);
  assert.match(messages[2] ?? "", /^concurrency: 7; give 1 to 6/);
  assert.match(messages[3] ?? "", /^endpoint: "http:\/\/"; give/);
  assert.match(messages[4] ?? "", /^404 /);
});
