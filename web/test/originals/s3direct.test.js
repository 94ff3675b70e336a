// django-s3direct's example project: its widget by its own JavaScript, and by ours in its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { becomes, chooseIn, shown } from "../formsite.js";
import { randomFile } from "../harness.js";
import { exampleSite } from "./site.js";

/** Rejects with what the page alerts. */
const refused = async (/** @type {import("puppeteer-core").Page} */ page) => {
  const said = await page.waitForFunction(() => /** @type {any} */ (window).alerts[0], { timeout: 120_000 });
  throw new Error(`alerted: ${await said.jsonValue()}`);
};

test("the form and the admin of the example project upload, by the original's script and by ours", async (t) => {
  const s = await exampleSite(t);
  const { page } = s;
  const film = await randomFile(s.tmp, "näme (1)'!.mp4", 60e6);
  const image = await randomFile(s.tmp, "cat.png", 6000);
  const save = (/** @type {string} */ name) => process.env["SCREENSHOTS"] && page.screenshot({ path: `${process.env["SCREENSHOTS"]}/${name}.png` });

  await s.signIn(s.origins.ours); // cookies are a host's, whatever the port
  /** @type {Record<string, number>} */
  const seconds = {};
  for (const [who, origin] of Object.entries(s.origins)) {
    await page.goto(`${origin}/form/`);
    const began = performance.now();
    await chooseIn(page, "misc", film.path);
    await Promise.race([becomes(page, "link", "misc"), refused(page)]);
    seconds[who] = (performance.now() - began) / 1000;
    const { value, alerts } = await shown(page, "misc");
    assert.deepEqual([await s.stored(value), alerts], [film.sha256, []], `${who}: ${value}`);
  }
  t.diagnostic(`60 MB: the original's script took ${seconds["original"]?.toFixed(2)} s, ours ${seconds["ours"]?.toFixed(2)} s`);

  await page.goto(`${s.origins.ours}/admin/cat/cat/add/`);
  await save("admin-empty");
  // "Add another Kitten" copies the form whose names have __prefix__.
  await page.click(".add-row a");
  const uploads = /** @type {const} */ ([["custom_filename", image], ["kitten_set-0-video", film], ["kitten_set-0-image", image], ["kitten_set-1-image", image], ["kitten_set-1-pdf", image]]);
  for (const [name, file] of uploads) await chooseIn(page, name, file.path);
  await save("admin-uploading");
  for (const [name, file] of uploads) {
    await becomes(page, "link", name);
    assert.equal(await s.stored((await shown(page, name)).value), file.sha256, name);
  }
  // The page's own .submit-row holds its buttons.
  const before = await shown(page, "kitten_set-1-pdf");
  assert.ok(before.disabled.length > 0 && !before.disabled.includes(true));
  assert.deepEqual(before.alerts, []);
  await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.s3direct:has([name="kitten_set-1-pdf"]) .file-remove')).click());
  assert.equal((await shown(page, "kitten_set-1-pdf")).value, "");
  await save("admin-uploaded");

  await Promise.all([page.waitForNavigation(), page.click("[name=_continue]")]);
  for (const name of ["custom_filename", "kitten_set-0-video", "kitten_set-0-image", "kitten_set-1-image"]) {
    const { classes, value } = await shown(page, name);
    assert.equal(classes, "s3direct link-active", name);
    assert.match(value, /^http:\/\/127\.0\.0\.1:\d+\/demo\//, name);
  }
  assert.equal((await shown(page, "kitten_set-1-pdf")).classes, "s3direct form-active");
  await save("admin-saved");

  // What the destination refuses is alerted in the view's words.
  await chooseIn(page, "kitten_set-0-pdf", image.path);
  await becomes(page, "link", "kitten_set-0-pdf");
  await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.s3direct:has([name="kitten_set-0-image"]) .file-remove')).click());
  await chooseIn(page, "kitten_set-0-image", film.path);
  await page.waitForFunction(() => /** @type {any} */ (window).alerts.length > 0);
  assert.deepEqual((await shown(page, "kitten_set-0-image")).alerts, ["Invalid file type (video/mp4)."]);
});
