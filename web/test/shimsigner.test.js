// EvaporateJS's shim and the page's signer, and the wrong configurations, names and calls that 2.1.4 puts up with.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gate, openDemo, stage } from "./harness.js";
import { changeImport } from "./widget.js";

const hashOf = (/** @type {string} */ text) => createHash("sha256").update(text).digest("hex");

/**
 * A page whose signer is behind a gate: `refusals` are what the gate answers to it, one a request, before
 * the signer does; 0 is a connection that ends without a reply.
 *
 * @param {import("node:test").TestContext} t
 */
async function gatedPage(t) {
  /** @type {number[]} */
  const refusals = [];
  /** @type {string[]} */
  const asked = [];
  const front = await gate(t, (request) => {
    if (!request.url?.startsWith("/evaporate/sign")) return undefined;
    asked.push(request.url);
    const status = refusals.shift();
    if (status !== 0) return status;
    request.destroy();
    return new Promise(() => undefined);
  });
  const s = await stage(t, { serverArgs: ["-origin", front.origin] });
  front.to(s.url);
  const page = await openDemo({ ...s, url: front.origin });
  await changeImport(page);
  /**
   * Adds a file of four bytes; `during` is called in the page by the first warning.
   *
   * @param {Record<string, unknown>} [more] options of create
   * @param {string} [during] a method of Evaporate's
   */
  const add = (more = {}, during = "") =>
    page.evaluate(
      async (more, during) => {
        /** @type {any[][]} */
        const calls = [];
        const options = { bucket: "demo", signerUrl: "/evaporate/sign", signParams: { dest: "demo-s3direct" }, maxRetryBackoffSecs: 0, logging: false, ...more };
        const e = await /** @type {any} */ (window).Evaporate.create(options);
        const tell = (/** @type {string} */ name) => (/** @type {any[]} */ ...args) => {
          calls.push([name, ...args.filter((x) => typeof x !== "object")]);
          if (name === "warn" && during && calls.filter(([n]) => n === "warn").length === 1) e[during]();
        };
        const callbacks = Object.fromEntries(["started", "cancelled", "nameChanged", "complete", "warn", "error"].map((n) => [n, tell(n)]));
        const outcome = await e.add({ name: "x", file: new File(["four"], "x"), ...callbacks }).then((/** @type {string} */ key) => key, (/** @type {unknown} */ why) => `refused: ${why}`);
        return { outcome, calls, count: e.evaporatingCount };
      },
      more,
      during,
    );
  return { s, page, refusals, asked, add };
}

test("a signer that is throttled, broken, gone or not there yet ends nothing: it is asked until it answers", async (t) => {
  const { s, refusals, asked, add } = await gatedPage(t);
  refusals.push(503, 503, 404, 429, 500, 502, 504, 503, 503, 503);
  const n = refusals.length;
  const { outcome, calls } = await add();
  assert.match(outcome, /^s3direct\/dev\//);
  assert.equal(asked.length, n + 1);
  assert.equal(await s.stored(outcome), hashOf("four"));
  const warnings = calls.filter(([name]) => name === "warn");
  assert.equal(warnings.length, n);
  assert.deepEqual(warnings.slice(0, 4).map(([, ...words]) => words), [503, 503, 404, 429].map((status) => ["Error in ", "initiate", `Signature fetch returned status: ${status}`]));
  assert.deepEqual(calls.filter(([name]) => name === "error"), []);
  refusals.push(0, 0, 0, 0, 0, 408); // browsers repeat some of these themselves
  assert.match((await add()).outcome, /^s3direct\/dev\//);
  assert.deepEqual(refusals, []);
});

test("the waits are 2.1.4's: none, then 1 s, the power, its square, at most maxRetryBackoffSecs", async (t) => {
  const { page, refusals, add } = await gatedPage(t);
  await page.evaluate(() => {
    const w = /** @type {any} */ (window);
    const { setTimeout } = window;
    w.waits = [];
    w.setTimeout = (/** @type {() => void} */ f, /** @type {number} */ ms) => {
      w.waits.push(ms);
      return setTimeout(f, 0);
    };
  });
  const waits = () => page.evaluate(() => /** @type {any} */ (window).waits.splice(0));
  refusals.push(...Array(8).fill(503));
  await add({ maxRetryBackoffSecs: 10 });
  assert.deepEqual(await waits(), [0, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  refusals.push(...Array(6).fill(503));
  await add({ retryBackoffPower: 3, maxRetryBackoffSecs: 300 });
  assert.deepEqual(await waits(), [0, 1000, 3000, 9000, 27_000, 81_000]);
});

test("401 and 403 end an upload, and so does what this server says is wrong with the request", async (t) => {
  const { refusals, asked, add } = await gatedPage(t);
  for (const status of [401, 403]) {
    refusals.push(status);
    const { outcome, calls } = await add();
    assert.match(outcome, new RegExp(`^refused: Permission denied status:${status}`));
    assert.deepEqual(calls.map(([name]) => name), ["started", "error"]);
  }
  assert.equal(asked.length, 2);
  const unknown = await add({ signParams: { dest: "nope" } });
  assert.match(unknown.outcome, /^refused: File upload aborted: destination_unknown: /);
  assert.equal(asked.length, 3);
});

test("an upload that waits for its signer can be cancelled", async (t) => {
  const { refusals, asked, add } = await gatedPage(t);
  refusals.push(...Array(50).fill(503));
  const { outcome, calls, count } = await add({ maxRetryBackoffSecs: 3600 }, "cancel");
  assert.equal(outcome, "refused: User aborted the upload");
  assert.deepEqual(calls.map(([name]) => name), ["started", "warn", "cancelled"]);
  assert.deepEqual([count, asked.length], [0, 1]);
});

test("what a signer answers that is no grant is said", async (t) => {
  const { page } = await gatedPage(t);
  const outcomes = await page.evaluate(async () => {
    const said = [];
    for (const answer of ["", "a.b.c", undefined, null, 7, "a signature"]) {
      const e = await /** @type {any} */ (window).Evaporate.create({ bucket: "demo", customAuthMethod: async () => answer, logging: false });
      said.push(await e.add({ name: "x", file: new Blob(["x"]) }).catch((/** @type {string} */ why) => why));
    }
    return said;
  });
  for (const said of outcomes) assert.match(said, /^File upload aborted: .*is not a grant; is the signer a chunksign server of this version\?$/);
});

test("create() rejects with a text, and never throws; the constructor says it in a field", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await changeImport(page);
  const said = await page.evaluate(async () => {
    const { Evaporate } = /** @type {any} */ (window);
    const good = { bucket: "b", signerUrl: "/s" };
    const auth = () => Promise.resolve("");
    const wrong = [
      undefined, null, {}, "", 7, { signerUrl: "/s" }, { bucket: "b" }, { bucket: "", signerUrl: "/s" }, { bucket: null, signerUrl: "/s" }, { bucket: 7, signerUrl: "/s" },
      { customAuthMethod: auth }, { bucket: "b", customAuthMethod: "/s" }, { ...good, customAuthMethod: "/s" }, { ...good, signerUrl: 7 }, { ...good, signerUrl: "http://" },
      { ...good, endpoint: "http://" }, { ...good, destination: 7 }, { ...good, signResponseHandler: "x" }, { ...good, evaporateChanged: 1 }, { ...good, partSize: "8 MiB" },
      { ...good, maxConcurrentParts: "5" }, { ...good, maxFileSize: 10n }, { ...good, progressIntervalMS: Symbol("x") }, { ...good, signParams: "dest=a" }, { ...good, signHeaders: 1 },
    ];
    return Promise.all(
      wrong.map((options) => {
        const e = new Evaporate(options);
        return Evaporate.create(options).then(() => "it resolved", (/** @type {unknown} */ why) => (e.supported === false && e._instantiationError === why ? why : `it differs: ${why}`));
      }),
    );
  });
  const url = "Option signerUrl is required unless customAuthMethod is present.", bucket = "The AWS 'bucket' option must be present.";
  assert.deepEqual(said, [
    url, url, url, url, url, bucket, url, bucket, bucket, "Option bucket is 7; it must be a string.",
    bucket, url, 'Option customAuthMethod is "/s"; it must be a function.', "Option signerUrl is 7; it must be a string.", 'Option signerUrl is "http://"; it must be a URL.',
    'Option endpoint is "http://"; it must be a URL.', "Option destination is 7; it must be a string.", 'Option signResponseHandler is "x"; it must be a function.',
    "Option evaporateChanged is 1; it must be a function.", 'Option partSize is "8 MiB"; it must be a number.',
    'Option maxConcurrentParts is "5"; it must be a number.', "Option maxFileSize is of type bigint; it must be a number.",
    "Option progressIntervalMS is of type symbol; it must be a number.", 'Option signParams is "dest=a"; it must be an object.', "Option signHeaders is 1; it must be an object.",
  ]);
});

test("names with characters that keys may not have, and with spaces at their ends, are uploaded; nameChanged tells the key", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await changeImport(page);
  const odd = { "a*b.bin": "a_b.bin", " a b ": "a b", "x (1)'!.bin": "", "100%.bin": "", "%2A.bin": "", "a+b.bin": "", "**": "__", "näme #?&=.bin": "näme #_&=.bin" };
  const done = await page.evaluate(async (names) => {
    const e = await /** @type {any} */ (window).Evaporate.create({ bucket: "demo", signerUrl: "/evaporate/sign", signParams: { dest: "demo-s3direct" }, onlyRetryForSameFileName: true, logging: false });
    const done = [];
    for (const name of names) {
      /** @type {any[]} */
      const told = [];
      const tell = (/** @type {any[]} */ ...args) => void told.push(args.find((x) => typeof x === "string"));
      const key = await e.add({ name, file: new File([name], name), started: tell, nameChanged: tell, complete: tell }).catch((/** @type {string} */ why) => `refused: ${why}`);
      done.push({ name, key, told });
    }
    return done;
  }, Object.keys(odd));
  for (const { name, key, told } of done) {
    const kept = /** @type {Record<string, string>} */ (odd)[name] || name;
    assert.equal(key.slice(key.lastIndexOf("/") + 1), kept, key);
    assert.deepEqual([told[0], ...told.slice(1).map(decodeURIComponent)], [`demo/${name}`, key, key]);
    assert.doesNotMatch(told[2], /[!'()*]/, "complete is told the key as 2.1.4 encodes it");
    assert.equal(await s.stored(key), hashOf(name));
  }
});

test("cancel() of a file that has ended calls cancelled and resolves, as in 2.1.4; what is stored stays", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  await changeImport(page);
  const { key, calls } = await page.evaluate(async () => {
    const { Evaporate } = /** @type {any} */ (window);
    /** @type {any[][]} */
    const calls = [];
    const tell = (/** @type {string} */ name) => (/** @type {any[]} */ ...args) => void calls.push([name, ...args.filter((x) => typeof x === "string")]);
    const callbacks = Object.fromEntries(["started", "complete", "cancelled", "error"].map((n) => [n, tell(n)]));
    const end = (/** @type {Promise<unknown>} */ p) => p.then((x) => JSON.stringify(x), (why) => `refused: ${why}`);
    const e = await Evaporate.create({ bucket: "demo", destination: "demo", logging: false });
    const key = await e.add({ name: "x", file: new File(["four"], "x"), ...callbacks });
    calls.push(["of one", await end(e.cancel("demo/x"))]);
    calls.push(["again", await end(e.cancel("demo/x"))]);
    calls.push(["of all", await end(e.cancel())], ["paused", await end(e.pause())], ["resumed", await end(e.resume("demo/x"))]);
    const f = await Evaporate.create({ bucket: "demo", destination: "nope", logging: false });
    await end(f.add({ name: "y", file: new File(["four"], "y"), ...callbacks }));
    calls.push(["of a failed one", await end(f.cancel("demo/y"))]);
    return { key, calls: calls.map((call) => call.map((x) => (x === key ? "KEY" : x))) };
  });
  assert.equal(await s.stored(key), hashOf("four"));
  assert.deepEqual(calls.map((call) => call.map((/** @type {string} */ x) => x.replace(/^(File upload aborted: destination_unknown).*/, "$1"))), [
    ["started", "demo/x"], ["complete", "KEY"], ["cancelled"], ["of one", "[null]"], ["cancelled"], ["again", "[null]"], ["of all", "refused: No files to cancel."],
    ["paused", "[]"], ["resumed", "refused: Cannot resume a file that has not been paused."],
    ["started", "demo/y"], ["error", "File upload aborted: destination_unknown"], ["cancelled"], ["of a failed one", "[null]"],
  ]);
});
