/**
 * What the browser tests stand on: the real server binary with its embedded
 * store, a real browser, real files. Every test gets a server and a profile of its own.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createDecipheriv, createHash, hkdfSync, randomFillSync } from "node:crypto";
import { createServer, request } from "node:http";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { once } from "node:events";
import { after } from "node:test";
import { inflateRawSync } from "node:zlib";
import puppeteer from "puppeteer-core";

/** The server, as `make build` leaves it. */
export const binary = process.env["CHUNKSIGN_BIN"] ?? fileURLToPath(new URL("../../bin/chunksign", import.meta.url));
if (!existsSync(binary)) throw new Error(`${binary} is not there; \`make build\` makes it`);

/** Which browser the tests drive: "chrome" or "firefox". */
export const browserName = process.env["CHUNKSIGN_BROWSER"] === "firefox" ? "firefox" : "chrome";

/**
 * The destination that uploads go to: "demo", or "demo-presigned", for which the
 * server signs. In pages that openDemo opened it is a global of the same name, as `slow` is.
 */
export const destination = process.env["CHUNKSIGN_DESTINATION"] ?? "demo";
export const presigned = destination === "demo-presigned";

/**
 * Bytes a second at which no machine is too fast for a test that acts in the middle
 * of an upload: maxBytesPerSecond of the page's uploads, until Infinity lifts it.
 */
export const slow = 50e6;

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
 * @property {Pick<import("puppeteer-core").Browser, "newPage">} browser
 * @property {() => string} log  what the server has written to stderr so far
 * @property {() => Promise<void>} stop  ends the server before the test does
 * @property {(key: string) => Promise<string>} stored  the SHA-256 of an object
 */

/**
 * What the tests of a file share, for it takes seconds to start.
 *
 * @type {Promise<import("puppeteer-core").Browser> | undefined}
 */
let shared;
after(async () => (await shared)?.close());

/**
 * Starts a server and a profile of the browser for one test and ends both after it.
 * With `browserArgs` the browser is the test's own.
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
  const browser = await (browserArgs.length > 0 ? launch(browserArgs) : (shared ??= launch()).then((b) => b.createBrowserContext()));
  endings.push(() => browser.close());
  return { ...server, data, tmp, browser, stored: (key) => sha256(join(data, "demo", key)) };
}

/**
 * @param {string[]} args
 * @param {(piece: string) => void} [hear] gets the log as it is written
 * @param {Record<string, string>} [given] of its environment, beside ours
 */
export async function startServer(args, hear, given) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...given } });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (piece) => {
    log += piece;
    hear?.(piece);
  });
  const stop = async (/** @type {NodeJS.Signals} */ signal = "SIGTERM") => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, "close");
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

/**
 * @param {string[]} [extra]
 * @param {Record<string, unknown>} [prefs] of Firefox
 */
export function launch(extra = [], prefs = {}) {
  // Without a locale Chromium garbles the names of files that are not ASCII.
  const env = { ...process.env, LC_ALL: "C.UTF-8" };
  if (browserName === "firefox") {
    return puppeteer.launch({
      browser: "firefox",
      executablePath: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
      headless: true,
      env,
      args: extra,
      extraPrefsFirefox: prefs,
    });
  }
  return puppeteer.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    env,
    args: [...chromeArgs, ...extra],
    // Nothing listens to the network's events, and Chromium copies each request's body into one.
    networkEnabled: false,
    issuesEnabled: false,
    protocolTimeout: 300_000,
  });
}

/**
 * Opens the demo page and waits until it is ready. What it logs as an error
 * fails the test, unless `expected` says that it is.
 *
 * @param {Pick<Stage, "url" | "browser">} s
 * @param {{ path?: string, page?: import("puppeteer-core").Page }} [options]
 */
export async function openDemo(s, { path = presigned ? `?destination=${destination}` : "", page } = {}) {
  page ??= await s.browser.newPage();
  await page.evaluateOnNewDocument((globals) => void Object.assign(window, globals), { destination, slow });
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
  const names = await readdir(data, { recursive: true }).catch(() => readdir(data, { recursive: true }));
  const parts = [];
  for (const name of names) {
    // The store may be removing them.
    if (name.includes(".sgwtmp/multipart/") && (await stat(join(data, name)).catch(() => undefined))?.isFile()) parts.push(name);
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

/**
 * Presses a row's button as soon as its bar has passed a tenth: of these files
 * that is more than what is under way at once, so the store has parts.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string} name
 * @param {string} action
 */
export const pressUnderWay = (page, name, action) =>
  page.evaluate(
    (name, action) =>
      new Promise((resolve) => {
        const look = () => {
          const row = document.querySelector(`[data-upload][data-name="${name}"][data-state="uploading"]`);
          const button = row?.querySelector(`[data-action="${action}"]`);
          if (button instanceof HTMLElement && Number(row?.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow")) > 10) {
            button.click();
            resolve(undefined);
          } else requestAnimationFrame(look);
        };
        look();
      }),
    name,
    action,
  );

/**
 * Waits until the journal has an upload, by what another tab sees: it is written
 * with the first part on its way, and who goes before begins anew.
 *
 * @param {Pick<Stage, "url" | "browser">} s
 * @param {import("puppeteer-core").Page} [other] the tab
 */
export async function recorded(s, other) {
  const tab = await openDemo(s, other && { page: other });
  await tab.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    while ((await uploader.pending()).length === 0);
  });
  await tab.close();
}

/**
 * Runs a function in every upload worker that a page starts, before the worker's
 * own code, to break something there. It gets the worker's number on that page,
 * from 1, and the argument. It is carried over as text, so it sees nothing of the test.
 *
 * @template {boolean | number | string | undefined} A
 * @param {import("puppeteer-core").Page} page before it goes anywhere
 * @param {(worker: number, argument: A) => void} what
 * @param {A} [argument]
 */
export async function inWorkers(page, what, argument) {
  await page.evaluateOnNewDocument((what, argument) => {
    const Real = Worker;
    let made = 0;
    window.Worker = /** @type {any} */ (function (/** @type {URL} */ url, /** @type {WorkerOptions} */ options) {
      // What is posted before the real code listens is kept for it.
      const code = `
        const early = [];
        const keep = (e) => early.push(e.data);
        addEventListener("message", keep);
        (${what})(${++made}, ${argument});
        await import(${JSON.stringify(String(url))});
        removeEventListener("message", keep);
        for (const data of early) dispatchEvent(new MessageEvent("message", { data }));`;
      return new Real(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), options);
    });
  }, String(what), JSON.stringify(argument));
}

/**
 * The parts that the embedded store took, by its own log (-log debug): before
 * the upload's last look at what there is, by ListParts, and after it. Where the
 * server completes the upload it lists the parts once more.
 *
 * @param {string} log
 */
export function partsReceived(log) {
  /** @type {number[][]} parts between the lists */
  const taken = [[]];
  for (const line of log.split("\n")) {
    const m = /msg=s3 method=(GET|PUT) .*partNumber=(\d+|"") uploadId=[^" ]+ status=200/.exec(line);
    if (m?.[1] === "GET") taken.push([]);
    else if (m?.[1] === "PUT") taken.at(-1)?.push(Number(m[2]));
  }
  const last = taken.length - (presigned ? 2 : 1);
  assert.ok(last > 0, "no ListParts in the log");
  return { before: new Set(taken.slice(0, last).flat()), after: taken.slice(last).flat() };
}

/**
 * A server in front of the real one, on an origin of its own: `look` may answer a
 * request itself, by the status that it returns, and may hold it until then.
 *
 * @param {import("node:test").TestContext} t
 * @param {(request: import("node:http").IncomingMessage) => number | undefined | Promise<number | undefined>} look
 */
export async function gate(t, look) {
  let target = "";
  const server = createServer(async (incoming, outgoing) => {
    const status = await look(incoming);
    if (status !== undefined) {
      incoming.resume();
      outgoing.writeHead(status, { "Content-Type": "application/problem+json" });
      outgoing.end(JSON.stringify({ title: "No", status, code: status === 401 ? "unauthenticated" : "internal", detail: "not this time" }));
      return;
    }
    const { method, headers, url = "/" } = incoming;
    const on = request(new URL(url, target), { method, headers: { ...headers, host: new URL(target).host } }, (reply) => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(outgoing);
    });
    on.on("error", () => outgoing.destroy());
    incoming.pipe(on);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { origin: `http://127.0.0.1:${port}`, to: (/** @type {string} */ url) => void (target = url) };
}

/**
 * What the embedded store sealed into a session token (server/devstore/session.go),
 * and what it sealed it with.
 *
 * @param {string} data the store's folder
 * @param {string} token the session token
 */
export async function openSession(data, token) {
  const key = await devstoreKey(data, "session tokens", 32);
  const label = "chunksign session token 1";
  const sealed = Buffer.from(token, "base64url");
  const opened = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12)).setAAD(Buffer.from(label));
  opened.setAuthTag(sealed.subarray(-16));
  const session = JSON.parse(inflateRawSync(Buffer.concat([opened.update(sealed.subarray(12, -16)), opened.final()])).toString());
  return { key, label, session };
}

/**
 * What the embedded store derives from its secret for a purpose (server/devstore/keys.go).
 *
 * @param {string} data the store's folder
 * @param {string} what
 * @param {number} bytes
 */
export async function devstoreKey(data, what, bytes) {
  const secret = await readFile(join(data, ".chunksign-secret"));
  return new Uint8Array(hkdfSync("sha256", secret, "", `chunksign devstore ${what}`, bytes));
}

/**
 * Waits until something that nothing tells of has come about.
 *
 * @param {string} what
 * @param {() => Promise<boolean>} look
 */
export async function until(what, look) {
  const deadline = Date.now() + 60_000;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`after a minute it is not so that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
