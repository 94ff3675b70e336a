import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { begin, faultStage, outcome } from "./faultstage.js";
import { browserName, giveFiles, objects, openDemo, orphanParts, randomFile, recorded, sha256 } from "./harness.js";

/** `make soak` has it long: 60 kills over 2 GiB. */
const kills = Number(process.env["CHUNKSIGN_KILLS"] ?? 5);
const mebibytes = Number(process.env["CHUNKSIGN_KILL_MIB"] ?? 64);
const seed = Number(process.env["CHUNKSIGN_SEED"] ?? 1);

const partSize = 5 << 20;
const parts = Math.ceil((mebibytes * 2 ** 20) / partSize);
const lanes = parts / kills > 4 ? 4 : 2; // so that some parts are stored from kill to kill

/** @typedef {import("./faultstage.js").FaultStage} FaultStage */
/** @typedef {import("puppeteer-core").Page} Page */

/**
 * Ways to end something. Those of the page give the page that is there after it;
 * after the store's the page goes on by itself.
 *
 * @type {Record<string, (s: FaultStage, page: Page) => Promise<Page | undefined>>}
 */
const ways = {
  async "SIGKILL of the renderer"(s, page) {
    const gone = new Promise((resolve) => page.once("error", resolve)); // "Page crashed!"
    const killed = await renderers(s);
    for (const pid of killed) process.kill(pid, "SIGKILL");
    await gone;
    await s.store.cut();
    // Chromium keeps one in reserve, and gives it to the next page while it has not noticed its end.
    while ((await renderers(s)).some((pid) => killed.includes(pid)));
    await page.close();
    return openDemo(s, { page: await s.newPage() });
  },
  async "a reload"(s, page) {
    const reloaded = page.reload();
    await s.store.cut();
    await reloaded;
    await page.waitForSelector("body[data-ready=true]");
    return page;
  },
  async "SIGKILL of server and store"(s) {
    await s.end("SIGKILL");
    await s.again();
    return undefined;
  },
  async "the tab closed"(s, page) {
    await page.close();
    await s.store.cut();
    return openDemo(s, { page: await s.newPage() });
  },
};
// WebDriver BiDi, by which Firefox is driven, tells no process ids.
if (browserName === "firefox") delete ways["SIGKILL of the renderer"];

/** @param {FaultStage} s */
async function renderers(s) {
  const cdp = await s.browser.target().createCDPSession();
  const { processInfo } = await cdp.send("SystemInfo.getProcessInfo");
  await cdp.detach();
  return processInfo.filter((p) => p.type === "renderer").map((p) => p.id);
}

test(`an upload of ${mebibytes} MiB, killed ${kills} times, ends byte for byte right`, { timeout: 60_000 + kills * 30_000 }, async (t) => {
  const s = await faultStage(t);
  // So that bodies are under way at any moment.
  await s.store.put("bandwidth", { rate: 8192 });
  const file = await randomFile(s.tmp, "film.bin", mebibytes * 2 ** 20);
  let page = await openDemo(s, { page: await s.newPage() });
  await giveFiles(page, file.path);
  await begin(page, { options: { partSize, concurrency: lanes } });
  await recorded(s, await s.newPage());

  /** @type {(() => void)[]} What the log has to show at the end. */
  const checks = [];
  const names = Object.keys(ways);
  const random = mulberry32(seed);
  /** @type {number[]} */
  const at = [];
  for (let i = 0; i < kills; i++) {
    const way = /** @type {string} */ (names[i % names.length]);
    // At a random moment of what is left, by the bytes that reach the store.
    const left = parts - new Set(s.requests.parts()).size;
    await s.sent.more((random() * left * partSize) / (kills - i + 1));
    assert.equal(s.requests.count("CompleteMultipartUpload"), 0, `the upload had ended before kill ${i + 1}`);
    const known = s.requests.entries.length;
    const stored = new Set(s.requests.parts());
    at.push(stored.size);
    const next = await ways[way]?.(s, page);
    if (!next) continue;
    page = next;
    await giveFiles(page, file.path);
    await begin(page, { resume: true, options: { partSize, concurrency: lanes } });
    const again = () => s.requests.parts(known).filter((n) => stored.has(n));
    checks.push(() => assert.deepEqual(again(), [], `after kill ${i + 1}, ${way}, with ${stored.size} parts stored: parts that the store had were sent again`));
  }
  await s.store.take("bandwidth");

  const end = await outcome(page);
  assert.ok(end.key, `${end.code}: ${end.message}`);
  assert.deepEqual(await objects(join(s.data, "demo")), [end.key]);
  assert.equal(await sha256(join(s.data, "demo", end.key)), file.sha256);
  assert.deepEqual(await orphanParts(s.data), []);
  assert.equal(s.requests.count("CreateMultipartUpload"), 1);
  for (const check of checks) check();

  // What was stored twice, and what was sent altogether: bodies that were cut are in that.
  const twice = s.requests.parts().length - parts;
  const sent = s.sent.bytes;
  const most = kills * lanes;
  t.diagnostic(`seed ${seed}; parts stored at the kills: ${at.join(" ")}`);
  t.diagnostic(`${kills} kills, ${most} parts at most under way: ${twice} stored twice, ${((sent - file.size) / partSize).toFixed(1)} parts' bytes sent again, of ${parts}`);
  assert.ok(twice <= most);
  assert.ok(sent - file.size <= most * partSize);
});

/**
 * Numbers from 0 to 1, the same for the same seed.
 *
 * @param {number} a
 */
function mulberry32(a) {
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
