// What EvaporateJS 2.1.4's own tests say of its calls and callbacks, of the shim with a real store.

import assert from "node:assert/strict";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openDemo, orphanParts, randomFile, stage, until } from "./harness.js";
import { entries } from "./originals/classified.js";
import { changeImport, choose, names, upload } from "./widget.js";

test("what originals/classified.js refers to is there: tests of ours, and rows of docs/migrate.md", async () => {
  const folder = new URL(".", import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith(".test.js"));
  const tests = (await Promise.all(files.map((name) => readFile(new URL(name, folder), "utf8")))).join("\n");
  const page = await readFile(new URL("../../docs/migrate.md", folder), "utf8");
  for (const entry of entries) {
    if ("by" in entry) assert.ok(tests.includes(`test("${entry.by}"`) || tests.includes(`test(\`${entry.by}\``), entry.by);
    else assert.ok(page.includes(`\n| ${entry.row} | `), entry.row);
  }
});

test("two files are added at once, each with its own id, bucket and outcome; evaporateChanged ends at 0", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await changeImport(page);
  const { outcomes, calls, counts } = await page.evaluate(async () => {
    const { Evaporate } = /** @type {any} */ (window);
    /** @type {any[][]} */
    const calls = [];
    /** @type {number[]} */
    const counts = [];
    const evaporateChanged = (/** @type {unknown} */ _e, /** @type {number} */ count) => void counts.push(count);
    const e = await Evaporate.create({ bucket: "demo", destination: "demo", evaporateChanged, logging: false });
    const add = (/** @type {string} */ name, overrides = {}) => {
      const tell = (/** @type {string} */ call) => (/** @type {any[]} */ ...args) => void calls.push([call, name, ...args.filter((x) => typeof x === "string")]);
      const callbacks = Object.fromEntries(["started", "complete", "cancelled", "error"].map((n) => [n, tell(n)]));
      return e.add({ name, file: new File([name], name), ...callbacks }, overrides).catch((/** @type {string} */ why) => why);
    };
    const outcomes = await Promise.all([add("first"), add("second", { bucket: "another" })]);
    return { outcomes, calls, counts };
  });
  const of = (/** @type {string} */ call) => calls.filter(([n]) => n === call).map(([, ...rest]) => rest).sort();
  assert.deepEqual(of("started"), [["first", "demo/first"], ["second", "another/second"]]);
  assert.deepEqual(of("complete"), [["first", outcomes[0]], ["second", outcomes[1]]]);
  assert.deepEqual([of("error"), of("cancelled")], [[], []]);
  assert.ok(counts[0] === 1 && Math.max(...counts) === 2 && counts.at(-1) === 0, JSON.stringify(counts));
});

test("add() rejects with 2.1.4's texts where a file, its name or its size is wrong", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await changeImport(page);
  const said = await page.evaluate(async () => {
    const e = await /** @type {any} */ (window).Evaporate.create({ bucket: "demo", destination: "demo", maxFileSize: 3, logging: false });
    const why = (/** @type {any[]} */ ...args) => e.add(...args).then(() => "it was added", (/** @type {unknown} */ why) => why);
    const file = new File(["four"], "x");
    e.forceRetry(); // which does nothing
    return Promise.all([why(), why(undefined), why({}), why({ name: "x" }), why({ file: new File(["abc"], "x") }), why({ name: "x", file }), why({ name: "x", file: "text" })]);
  });
  const missing = "Missing file";
  assert.deepEqual(said, [missing, missing, missing, missing, "Missing attribute: name", "File size too large. Maximum size allowed is 3", "file is not a File or a Blob"]);
});

test("customAuthMethod gets five arguments, signParams and signHeaders evaluated, and no signerUrl is asked", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await changeImport(page);
  const { key, args } = await page.evaluate(async () => {
    /** @type {any[]} */
    let args = [];
    const customAuthMethod = async (/** @type {any[]} */ ...given) => {
      args = given;
      const query = new URLSearchParams({ datetime: given[3], ...given[0] });
      return (await fetch(`/evaporate/sign?to_sign=${given[2]}&${query}`)).text();
    };
    const signParams = { dest: () => "demo-s3direct", n: 1 };
    const e = await /** @type {any} */ (window).Evaporate.create({ bucket: "demo", customAuthMethod, signParams, signHeaders: { "X-A": () => "b" }, logging: false });
    return { key: await e.add({ name: "x", file: new File(["four"], "x") }), args };
  });
  assert.match(key, /^s3direct\/dev\//);
  const [params, headers, text, datetime, canonical] = args;
  assert.deepEqual([args.length, params, headers, canonical], [5, { dest: "demo-s3direct", n: "1" }, { "X-A": "b" }, ""]);
  assert.match(decodeURIComponent(text), /^CHUNKSIGN-GRANT\n\{"name":"x"/);
  assert.match(datetime, /^\d{8}T\d{6}Z$/);
});

test("an upload is cancelled while it is paused", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await changeImport(page);
  await choose(page, (await randomFile(s.tmp, "a.bin", 40 << 20)).path);
  await slowly(page);
  await page.evaluate(() => {
    const w = /** @type {any} */ (window);
    w.onCall = (/** @type {string} */ name, /** @type {string} */ id) => {
      if (name === "started") w.id = id;
      if (name === "uploadInitiated") void w.evaporate.pause(w.id);
      if (name === "paused") w.cancelling = w.evaporate.cancel(w.id).then(() => "it resolved");
    };
  });
  const done = await upload(page, "view", { partSize: 5 << 20 });
  assert.equal(done.refused, "User aborted the upload");
  assert.deepEqual(names(done.calls, "progress", "info"), ["started", "uploadInitiated", "pausing", "paused", "cancelled"]);
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).cancelling), "it resolved");
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).evaporate.evaporatingCount), 0);
  assert.deepEqual(await orphanParts(s.data), []);
});

for (const [lost, what] of /** @type {const} */ ([["upload", /\.sgwtmp\/multipart\/[^/]+$/], ["parts", /\.sgwtmp\/multipart\/[^/]+\/[^/]+\/\d+$/]])) {
  test(`an unfinished upload whose ${lost} the store has no longer is sent anew`, async (t) => {
    const s = await stage(t);
    const page = await openDemo(s);
    await changeImport(page);
    const file = await randomFile(s.tmp, "a.bin", 40 << 20);
    await choose(page, file.path);
    await slowly(page);
    const first = upload(page, "view", { partSize: 5 << 20 }).then(() => assert.fail("it was not to end"), () => undefined);
    const other = await openDemo(s);
    await until("the journal has the upload, and the store parts", async () => {
      const pending = await other.evaluate(async () => {
        const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
        return (await new Uploader({ destination: "demo-s3direct" }).pending()).length;
      });
      return pending === 1 && (await orphanParts(s.data)).length > 0;
    });
    await page.close();
    await first;
    for (const name of await readdir(s.data, { recursive: true })) {
      if (what.test(name)) await rm(join(s.data, name), { recursive: true });
    }
    assert.deepEqual(await orphanParts(s.data), []);
    await changeImport(other);
    await choose(other, file.path);
    const done = await upload(other, "view", { partSize: 5 << 20 });
    assert.equal(done.refused, "");
    assert.equal(await s.stored(done.key), file.sha256);
    assert.notEqual(done.key, done.params.object_key, "the key is that of the first page, as in 2.1.4");
    assert.deepEqual(names(done.calls, "progress", "info", "nameChanged", "warn", "uploadInitiated"), ["started", "complete"]);
  });
}

/** Slows the page's uploads down, so that a test can act in the middle of one. */
const slowly = (/** @type {import("puppeteer-core").Page} */ page) =>
  page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    new Uploader({ destination: "demo", maxBytesPerSecond: 5e6 });
  });
