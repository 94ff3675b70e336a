/**
 * A bare client for Chromium's DevTools protocol. Puppeteer and Playwright
 * enable the Network domain, whose events carry request bodies: an upload
 * measured under them is many times slower than it is.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";

/** @param {string} url  the page to open */
export async function openPage(url) {
  const profile = await mkdtemp(join(tmpdir(), "chunksign-bench-"));
  const browser = spawn(
    process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  const endpoint = await new Promise((resolve, reject) => {
    browser.stderr.on("data", (b) => {
      log += b;
      const m = /DevTools listening on ws:\/\/([^/]+)\//.exec(log);
      if (m) resolve(m[1]);
    });
    browser.on("exit", () => reject(new Error(log)));
  });
  const targets = await (await fetch(`http://${endpoint}/json/list`)).json();
  const socket = new WebSocket(targets.find((/** @type {any} */ t) => t.type === "page").webSocketDebuggerUrl, { perMessageDeflate: false });
  await once(socket, "open");
  let last = 0;
  /** @type {Map<number, (m: any) => void>} */
  const waiting = new Map();
  socket.on("message", (data) => {
    const m = JSON.parse(String(data));
    waiting.get(m.id)?.(m);
    waiting.delete(m.id);
  });
  /** @param {string} method @param {object} [params] @returns {Promise<any>} */
  const call = (method, params = {}) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, (m) => (m.error ? reject(new Error(`${method}: ${m.error.message}`)) : resolve(m.result)));
      socket.send(JSON.stringify({ id, method, params }));
    });
  /** @param {string} expression */
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await call("Page.setBypassCSP", { enabled: true }); // a bench brings scripts of its own
  await call("Page.navigate", { url });
  while (!(await evaluate("document.body?.dataset.ready === 'true'"))) await new Promise((r) => setTimeout(r, 20));

  return {
    evaluate,
    /** Chooses files of the disk in an input. @param {string} selector @param {string[]} files */
    async chooseFiles(selector, files) {
      const { root } = await call("DOM.getDocument");
      const { nodeId } = await call("DOM.querySelector", { nodeId: root.nodeId, selector });
      await call("DOM.setFileInputFiles", { nodeId, files });
    },
    /** The renderers' peak of resident memory since the last call, in bytes. */
    async rendererPeak() {
      let peak = 0;
      for (const pid of await readdir("/proc")) {
        if (!/^\d+$/.test(pid)) continue;
        try {
          const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
          if (!command.includes("--type=renderer") || !(await isChildOf(Number(pid), browser.pid ?? 0))) continue;
          const status = await readFile(`/proc/${pid}/status`, "utf8");
          peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
          await writeFile(`/proc/${pid}/clear_refs`, "5");
        } catch {
          // It ended meanwhile.
        }
      }
      return peak;
    },
    async close() {
      await call("Browser.close").catch(() => undefined);
      if (browser.exitCode === null) await once(browser, "exit");
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** @param {number} pid @param {number} ancestor @returns {Promise<boolean>} */
async function isChildOf(pid, ancestor) {
  for (let p = pid; p > 1; ) {
    if (p === ancestor) return true;
    p = Number(/PPid:\s+(\d+)/.exec(await readFile(`/proc/${p}/status`, "utf8"))?.[1] ?? 0);
  }
  return false;
}
