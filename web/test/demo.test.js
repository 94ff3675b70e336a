import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { objects, openDemo, orphanParts, pressUnderWay, randomFile, recorded, sha256, stage } from "./harness.js";

const MiB = 1 << 20;

/**
 * Waits until the row of a file is in a state.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string} name
 * @param {string} state
 */
const rowIs = (page, name, state) =>
  page.waitForSelector(`[data-upload][data-name="${name}"][data-state="${state}"]`, { timeout: 120_000 });

/**
 * @param {import("puppeteer-core").Page} page
 * @param {string} selector
 * @param {...string} paths
 */
async function choose(page, selector, ...paths) {
  const input = await page.waitForSelector(selector);
  await /** @type {import("puppeteer-core").ElementHandle<HTMLInputElement>} */ (input).uploadFile(...paths);
}

test("the page pauses by keyboard, survives a reload and goes on with the file chosen again", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.mp4", 512 * MiB);
  const page = await openDemo(s);
  page.on("dialog", (d) => void d.accept()); // "leave this page?"
  await choose(page, "#files", file.path);
  await pressUnderWay(page, file.name, "pause");
  await rowIs(page, file.name, "paused");
  await page.focus(`[data-name="${file.name}"] [data-action="resume"], [data-name="${file.name}"] [data-action="pause"]`);
  await page.keyboard.press("Enter");
  await rowIs(page, file.name, "uploading");
  await pressUnderWay(page, file.name, "pause");
  await rowIs(page, file.name, "paused");
  await recorded(s);

  await page.reload();
  await page.waitForSelector("body[data-ready=true]");
  await page.waitForSelector(`[data-pending][data-name="${file.name}"]`);
  const wrong = await randomFile(s.tmp, "other.mp4", 3 * MiB);
  await choose(page, "[data-pending] input[data-continue]", wrong.path);
  await page.waitForFunction(() => /another file/i.test(document.querySelector("[data-pending]")?.textContent ?? ""));
  await choose(page, "[data-pending] input[data-continue]", file.path);
  await rowIs(page, file.name, "done");

  const landed = await objects(join(s.data, "demo"));
  assert.equal(landed.length, 1, `${landed}`);
  assert.equal(await sha256(join(s.data, "demo", landed[0] ?? "")), file.sha256);
  assert.equal(await page.$eval(`[data-name="${file.name}"] [data-key]`, (e) => e.textContent), landed[0]);
  assert.deepEqual(await orphanParts(s.data), []);
});

test("the page cancels, and discards what an earlier visit left", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "unwanted.bin", 512 * MiB);
  const page = await openDemo(s);
  page.on("dialog", (d) => void d.accept());
  await choose(page, "#files", file.path);
  await pressUnderWay(page, file.name, "cancel");
  await rowIs(page, file.name, "cancelled");
  assert.deepEqual(await orphanParts(s.data), []);

  await page.click(`[data-name="${file.name}"] [data-action="dismiss"]`);
  await choose(page, "#files", file.path);
  await pressUnderWay(page, file.name, "pause");
  await rowIs(page, file.name, "paused");
  await recorded(s);
  await page.reload();
  await page.waitForSelector("[data-pending]");
  assert.notDeepEqual(await orphanParts(s.data), []);
  await page.click("[data-pending] [data-action=discard]");
  await page.click("[data-pending] [data-action=discard-confirm]");
  await page.waitForFunction(() => !document.querySelector("[data-pending]"));
  assert.deepEqual(await orphanParts(s.data), []);
  assert.deepEqual(await objects(join(s.data, "demo")), []);
});

test("the page works at 320 pixels and says what went wrong when its server is gone", async (t) => {
  const s = await stage(t);
  const page = await s.browser.newPage();
  await page.setViewport({ width: 320, height: 700 });
  await openDemo(s, { page });
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await wide(), 0, "the empty page scrolls sideways");
  const file = await randomFile(s.tmp, `${"a long name ".repeat(12)}.bin`, 10);
  await choose(page, "#files", file.path);
  await rowIs(page, file.name, "done");
  assert.equal(await wide(), 0, "a finished upload scrolls sideways");

  await s.stop();
  await choose(page, "#files", (await randomFile(s.tmp, "late.bin", 10)).path);
  await page.waitForFunction(() => document.querySelector('[data-name="late.bin"]')?.getAttribute("data-state") === "preparing");
  // Not by the mouse: what is said of the next try moves the button meanwhile.
  await page.$eval(`[data-name="late.bin"] [data-action="cancel"]`, (b) => /** @type {HTMLElement} */ (b).click());
  await rowIs(page, "late.bin", "cancelled");
});
