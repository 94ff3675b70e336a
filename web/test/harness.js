/**
 * What the browser tests stand on: the real server binary with its embedded
 * store, a real browser, real files. Every test gets a server of its own.
 */

import { spawn } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { once } from "node:events";
import puppeteer from "puppeteer-core";

/** The server, as `make build` leaves it. */
export const binary = process.env["CHUNKSIGN_BIN"] ?? fileURLToPath(new URL("../../bin/chunksign", import.meta.url));
if (!existsSync(binary)) throw new Error(`${binary} is not there; \`make build\` makes it`);

/** Which browser the tests drive: "chrome" or "firefox". */
export const browserName = process.env["CHUNKSIGN_BROWSER"] === "firefox" ? "firefox" : "chrome";

const chromeArgs = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * @typedef {object} Stage
 * @property {string} url     the demo page
 * @property {string} data    the embedded store's folder
 * @property {string} tmp     a folder for the test's files
 * @property {import("puppeteer-core").Browser} browser
 * @property {() => string} log  what the server has written to stderr so far
 * @property {() => Promise<void>} stop  ends the server before the test does
 */

/**
 * Starts a server and a browser for one test and ends both after it.
 *
 * @param {import("node:test").TestContext} t
 * @param {{ serverArgs?: string[], browserArgs?: string[] }} [options]
 * @returns {Promise<Stage>}
 */
export async function stage(t, { serverArgs = [], browserArgs = [] } = {}) {
  const tmp = await mkdtemp(join(tmpdir(), "chunksign-test-"));
  /** @type {(() => Promise<unknown>)[]} */
  const endings = [() => rm(tmp, { recursive: true, force: true })];
  // In this order: the browser sends to the server, which writes to the folder.
  t.after(async () => {
    for (const end of endings.reverse()) await end();
  });
  const data = join(tmp, "data");
  const server = await startServer(["serve", "-listen", "127.0.0.1:0", "-data", data, ...serverArgs]);
  endings.push(server.stop);
  const browser = await launch(browserArgs);
  endings.push(() => browser.close());
  return { ...server, data, tmp, browser };
}

/** @param {string[]} args */
async function startServer(args) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (b) => (log += b));
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  };
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    once(child, "exit").then(([code]) => {
      throw new Error(`the server ended with ${code}: ${log}`);
    }),
  ]);
  return { url: first.trim(), log: () => log, stop };
}

/** @param {string[]} [extra] */
export function launch(extra = []) {
  if (browserName === "firefox") {
    return puppeteer.launch({
      browser: "firefox",
      executablePath: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
      headless: true,
      args: extra,
    });
  }
  return puppeteer.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    args: [...chromeArgs, ...extra],
    protocolTimeout: 300_000,
  });
}

/**
 * Opens the demo page and waits until it is ready. What it logs as an error
 * fails the test, unless `expected` says that it is.
 *
 * @param {Stage} s
 * @param {{ path?: string, page?: import("puppeteer-core").Page }} [options]
 */
export async function openDemo(s, { path = "", page } = {}) {
  page ??= await s.browser.newPage();
  await page.goto(new URL(path, s.url).href);
  await page.waitForSelector("body[data-ready=true]");
  return page;
}

/**
 * Writes a file of random bytes and gives its path and SHA-256.
 *
 * @param {string} dir
 * @param {string} name
 * @param {number} size
 */
export async function randomFile(dir, name, size) {
  const path = join(dir, name);
  const hash = createHash("sha256");
  const out = createWriteStream(path);
  const block = Buffer.allocUnsafe(1 << 20);
  for (let left = size; left > 0; left -= block.length) {
    randomFillSync(block);
    const piece = Buffer.from(block.subarray(0, Math.min(left, block.length)));
    hash.update(piece);
    if (!out.write(piece)) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
  return { path, name, size, sha256: hash.digest("hex") };
}

/** @param {string} path */
export async function sha256(path) {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest("hex");
}

/**
 * The files below a folder of the store, by their path in it; those of the
 * store's own bookkeeping left out.
 *
 * @param {string} dir
 */
export async function objects(dir) {
  const names = await readdir(dir, { recursive: true }).catch(() => /** @type {string[]} */ ([]));
  const files = [];
  for (const name of names) {
    if (!name.startsWith(".") && (await stat(join(dir, name))).isFile()) files.push(name);
  }
  return files;
}

/**
 * What the store still has of multipart uploads that are neither completed nor
 * aborted: the parts' files.
 *
 * @param {string} data
 */
export async function orphanParts(data) {
  const names = await readdir(data, { recursive: true });
  const parts = [];
  for (const name of names) {
    if (name.includes(".sgwtmp/multipart/") && (await stat(join(data, name))).isFile()) parts.push(name);
  }
  return parts;
}

/**
 * Puts files of the disk into a file input that the page keeps as
 * `window.files`.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string[]} paths
 */
export async function giveFiles(page, ...paths) {
  const input = await page.evaluateHandle(() => {
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    document.body.append(input);
    return input;
  });
  await input.uploadFile(...paths);
  await page.evaluate((input) => {
    /** @type {any} */ (window).files = [.../** @type {FileList} */ (input.files)];
  }, input);
}
