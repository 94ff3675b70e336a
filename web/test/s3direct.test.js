// django-s3direct's widget with the engine in the place of its index.js.

import assert from "node:assert/strict";
import { test } from "node:test";
import { alerted, becomes, chooseIn, formSite, shown } from "./formsite.js";
import { orphanParts, partsReceived, randomFile, until } from "./harness.js";

/** Slows the page's uploads down until `limit(Infinity)`. */
const limit = (/** @type {import("puppeteer-core").Page} */ page, /** @type {number} */ bytes) =>
  page.evaluate(async (bytes) => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    new Uploader({ destination: "demo-s3direct", maxBytesPerSecond: bytes });
  }, bytes);

/**
 * The object's key, from the form's value.
 *
 * @param {string} value
 */
const keyOf = (value) => /^http:\/\/127\.0\.0\.1:\d+\/demo\/(.+)$/.exec(value)?.[1] ?? assert.fail(`the value is ${value}`);

for (const included of /** @type {const} */ (["proxied", "redirected", "overridden"])) {
  test(`the widget uploads, its script ${included}; the form's value, link and buttons are the original's`, async (t) => {
    const s = await formSite(t, { included });
    const page = await s.open();
    const file = await randomFile(s.tmp, "näme (1)+<b>'!.bin", 60e6);
    await becomes(page, "form");
    await limit(page, 20e6);
    await chooseIn(page, "file", file.path);
    await becomes(page, "progress");
    assert.deepEqual((await shown(page)).disabled, [true, true]);
    await page.waitForFunction(() => /** @type {HTMLElement} */ (document.querySelector(".bar")).style.width > "0%");
    await limit(page, Infinity);
    await becomes(page, "link");

    const done = await shown(page);
    const key = keyOf(done.value);
    assert.match(key, /^s3direct\/dev\/[0-9a-f-]{36}\/näme \(1\)\+<b>'!\.bin$/);
    assert.equal(await s.stored(key), file.sha256);
    assert.deepEqual(done.link, [done.value, "näme (1) <b>'!.bin"], "the original shows a + as a space");
    assert.deepEqual([done.disabled, done.alerts, done.classes], [[false, false], [], "s3direct link-active"]);

    await page.click(".file-remove");
    const removed = await shown(page);
    assert.deepEqual([removed.classes, removed.value, removed.chosen], ["s3direct form-active", "", ""]);
  });
}

test("a form with a value shows it", async (t) => {
  const s = await formSite(t);
  const page = await s.open({ name: "file", value: "http://store.test/b/a.png" });
  const { classes, value } = await shown(page);
  assert.deepEqual([classes, value], ["s3direct link-active", "http://store.test/b/a.png"]);
});

test("two widgets upload at once, and one that is added meanwhile; a form to be copied is left alone", async (t) => {
  const s = await formSite(t);
  const page = await s.open({ name: "a" }, { name: "b" }, { name: "kitten-__prefix__-image" });
  const files = { a: await randomFile(s.tmp, "a.bin", 30e6), b: await randomFile(s.tmp, "b.bin", 20e6), c: await randomFile(s.tmp, "c.bin", 1e6) };
  assert.equal((await shown(page, "kitten-__prefix__-image")).classes, "s3direct");
  await limit(page, 10e6);
  await chooseIn(page, "a", files.a.path);
  await chooseIn(page, "b", files.b.path);
  await becomes(page, "progress", "a");
  await becomes(page, "progress", "b");
  // What Django's admin does for "Add another Kitten".
  await page.evaluate(() => {
    const template = /** @type {HTMLElement} */ (document.querySelector('.s3direct:has([name="kitten-__prefix__-image"])'));
    const copy = /** @type {HTMLElement} */ (template.cloneNode(true));
    /** @type {HTMLInputElement} */ (copy.querySelector(".file-url")).name = "kitten-0-image";
    template.before(copy);
  });
  await becomes(page, "form", "kitten-0-image");
  for (const name of ["a", "b"]) assert.equal((await shown(page, name)).classes, "s3direct progress-active", "an upload's widget was made anew");
  assert.equal((await shown(page, "kitten-__prefix__-image")).classes, "s3direct");
  await chooseIn(page, "kitten-0-image", files.c.path);
  await limit(page, Infinity);
  for (const [name, file] of /** @type {const} */ ([["a", files.a], ["b", files.b], ["kitten-0-image", files.c]])) {
    await becomes(page, "link", name);
    assert.equal(await s.stored(keyOf((await shown(page, name)).value)), file.sha256);
  }
  const { disabled, alerts } = await shown(page, "a");
  assert.deepEqual([disabled, alerts], [[false, false], []]);
});

test("cancelling removes what the store has, and the form can be sent again", async (t) => {
  const s = await formSite(t);
  const page = await s.open();
  const file = await randomFile(s.tmp, "a.bin", 60e6);
  await limit(page, 10e6);
  await chooseIn(page, "file", file.path);
  await until("the store has parts", async () => (await orphanParts(s.data)).length > 0);
  await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector(".cancel-button")).click());
  await alerted(page);
  const { classes, value, chosen, disabled, alerts } = await shown(page);
  assert.deepEqual([classes, value, chosen, disabled, alerts], ["s3direct form-active", "", "", [false, false], ["User aborted the upload"]]);
  assert.deepEqual(await orphanParts(s.data), []);
  assert.match(page.url(), /\/form\/$/, "the links' # is not followed");
  await limit(page, Infinity);
  await chooseIn(page, "file", file.path);
  await becomes(page, "link");
  assert.equal(await s.stored(keyOf((await shown(page)).value)), file.sha256);
});

test("after a reload the same file goes on: only parts that are missing are sent", async (t) => {
  const s = await formSite(t);
  const page = await s.open();
  const file = await randomFile(s.tmp, "a.bin", 64 << 20); // 8 parts
  await limit(page, 5e6);
  await chooseIn(page, "file", file.path);
  const other = await s.open();
  await until("the journal has the upload, and the store parts", async () => {
    const journal = await other.evaluate(async () => {
      const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      return (await new Uploader({ destination: "demo-s3direct" }).pending()).length;
    });
    return journal === 1 && /method=PUT .*partNumber=\d+ .*status=200/.test(s.log());
  });
  await other.close();
  await page.reload();
  await chooseIn(page, "file", file.path);
  await becomes(page, "link");
  const { value, alerts } = await shown(page);
  assert.deepEqual(alerts, []);
  assert.equal(await s.stored(keyOf(value)), file.sha256);
  const { before, after } = partsReceived(s.log());
  assert.ok(before.size > 0, "the first page sent nothing");
  assert.deepEqual(after.filter((part) => before.has(part)), [], "parts that the store had were sent again");
  assert.deepEqual(await orphanParts(s.data), []);
});

test("what is refused is alerted in the view's words, as by the original, and never as undefined", async (t) => {
  /** @type {Record<string, import("./formsite.js").Answer>} */
  const answers = {};
  const s = await formSite(t, { answer: (url) => Object.entries(answers).find(([view]) => url.includes(view))?.[1] });
  const html = (/** @type {number} */ status) => ({ status, type: "text/html", body: "<h1>Forbidden</h1><p>CSRF verification failed.</p>" });
  const file = await randomFile(s.tmp, "a.bin", 1000);
  const sorry = "Sorry, could not get upload URL.";
  const refused = async (/** @type {string} */ view, /** @type {import("./formsite.js").Answer} */ answer) => {
    const page = await s.open();
    answers[view] = answer;
    await chooseIn(page, "file", file.path);
    await alerted(page);
    delete answers[view];
    const { classes, value, chosen, disabled, alerts } = await shown(page);
    assert.deepEqual([classes, value, chosen, disabled], ["s3direct form-active", "", "", [false, false]]);
    await page.close();
    return alerts;
  };
  const view = "get_upload_params";
  for (const status of [400, 403, 500]) {
    assert.deepEqual(await refused(view, { status, body: '{"error": "Invalid file type (a/b)."}' }), ["Invalid file type (a/b)."]);
    assert.deepEqual(await refused(view, { status, body: "{}" }), [sorry]);
    assert.deepEqual(await refused(view, html(status)), [sorry]);
    assert.deepEqual(await refused(view, { status, body: '{"code": "internal", "detail": "The server made a mistake."}' }), ["The server made a mistake."]);
  }
  for (const answer of [html(502), html(404), { status: 404, body: '{"error": "File destination does not exist."}' }, { status: 200, body: "" }, { status: 200, body: "{}" }, html(200)]) {
    assert.deepEqual(await refused(view, answer), [sorry]);
  }
  const signing = "get_aws_v4_signature";
  assert.deepEqual(await refused(signing, { status: 403, body: '{"error": "Permission denied."}' }), ["Permission denied."]);
  for (const status of [400, 404, 500]) {
    assert.deepEqual(await refused(signing, { status, body: '{"error": "AWS credentials config missing."}' }), ["AWS credentials config missing."]);
  }
  assert.deepEqual(await refused(signing, html(403)), ["The signer answered with status 403"]);
  for (const body of ["{}", "", '{"s3ObjKey": ""}', '{"s3ObjKey": 7}', "null"]) {
    const [text] = await refused(signing, { status: 200, body });
    assert.match(text, /^The signing view answered without|not a grant/);
  }
  for (const text of await refused("/chunksign/evaporate", html(502))) assert.equal(text, "Sorry, failed to upload file.");
  // By the real view: a destination that is not there.
  const page = await s.open({ name: "file", dest: "nope" });
  await chooseIn(page, "file", file.path);
  await alerted(page);
  assert.deepEqual((await shown(page)).alerts, [sorry]);
});

test("a signing view that is being deployed ends nothing; the token and the fields are the original's", async (t) => {
  let refusals = [404, 429, 502, 503];
  /** @type {(string | string[] | undefined)[]} */
  const tokens = [];
  const s = await formSite(t, {
    answer: (url, headers) => {
      if (!url.startsWith("/s3direct/")) return undefined;
      tokens.push(headers["x-csrftoken"]);
      const status = url.includes("get_aws_v4_signature") ? refusals.shift() : undefined;
      if (status === 503) return { status, body: '{"error": "The store does not answer."}' };
      return status === undefined ? undefined : { status, type: "text/html", body: "<h1>Bad Gateway</h1>" };
    },
  });
  const page = await s.open();
  // The waits between retries are Evaporate's: nothing, then 1, 2 and 4 s, which this page does not wait.
  await page.evaluate(() => {
    const { setTimeout } = window;
    window.setTimeout = /** @type {any} */ ((/** @type {() => void} */ f, /** @type {number} */ ms) => setTimeout(f, ms / 1000));
  });
  const file = await randomFile(s.tmp, "a.bin", 1000);
  await chooseIn(page, "file", file.path);
  await becomes(page, "link");
  const { value, alerts } = await shown(page);
  assert.equal(await s.stored(keyOf(value)), file.sha256);
  assert.deepEqual([refusals, alerts, tokens], [[], [], Array(6).fill("the-token")]);
});

test("without a form's token the cookie's is sent", async (t) => {
  /** @type {(string | string[] | undefined)[]} */
  const tokens = [];
  const s = await formSite(t, {
    answer: (url, headers) => {
      if (url.startsWith("/s3direct/")) tokens.push(headers["x-csrftoken"]);
      return undefined;
    },
  });
  const page = await s.open();
  await page.evaluate(() => {
    document.querySelector("[name=csrfmiddlewaretoken]")?.remove();
    document.cookie = "csrftoken=of%20the%20cookie; path=/";
  });
  const file = await randomFile(s.tmp, "a.bin", 1000);
  await chooseIn(page, "file", file.path);
  await becomes(page, "link");
  assert.deepEqual(tokens, ["of the cookie", "of the cookie"]);
});
