/**
 * The stage of the tests of faults: the real server and its store behind lines
 * on which things can go wrong, and a browser that goes by those lines without
 * knowing: to it the addresses are the real ones, so that the store's
 * signatures, the origins and the Host checks are what they are without.
 */

import { createCipheriv, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { deflateRawSync } from "node:zlib";
import { browserName, destination, launch, openSession, startServer } from "./harness.js";
import { counter, detour, freePort, rewriter, startToxiproxy } from "./line.js";

/** @typedef {import("./line.js").Line} Line */
/** @typedef {Parameters<typeof rewriter>[2]} Change */

/**
 * What the tests of a file share, for it takes a second to start: a browser,
 * toxiproxy, and the addresses. Every test has a server and a profile of its own.
 */
const house = await open();
after(() => house.close());

async function open() {
  const port = await freePort();
  const storePort = port + 1; // see nextPort in server/wire.go
  const toxiproxy = await startToxiproxy();
  const server = await toxiproxy.line("server", port);
  const store = await toxiproxy.line("store", storePort);
  const ports = new Map([[port, server.port], [storePort, store.port]]);
  const socks = browserName === "firefox" ? await detour(ports) : undefined;
  const rules = [...ports].map(([from, to]) => `MAP 127.0.0.1:${from} 127.0.0.1:${to}`);
  const browser = await launch(socks ? [] : [`--host-resolver-rules=${rules.join(", ")}`], {
    "network.proxy.type": 1,
    "network.proxy.socks": "127.0.0.1",
    "network.proxy.socks_port": socks?.port,
    "network.proxy.socks_version": 5,
    "network.proxy.allow_hijacking_localhost": true,
  });
  return {
    port, storePort, server, store, browser,
    async close() {
      await browser.close();
      socks?.stop();
      await toxiproxy.stop();
    },
  };
}

/**
 * Sets the stage for one test, and clears it after it.
 *
 * @param {import("node:test").TestContext} t
 * @param {{ changeStore?: Change, changeServer?: Change }} [options]
 *   what is to be done to the replies of the store and of the server
 */
export async function faultStage(t, { changeStore, changeServer } = {}) {
  /** @type {(() => Promise<unknown>)[]} */
  const endings = [];
  t.after(async () => {
    for (const end of endings.reverse()) await end();
  });
  const tmp = await mkdtemp(join(tmpdir(), "chunksign-faults-"));
  endings.push(() => rm(tmp, { recursive: true, force: true }));
  const data = join(tmp, "data");
  const { port, storePort } = house;
  const requests = new Requests();

  const args = ["serve", "-listen", `127.0.0.1:${port}`, "-data", data, "-log", "debug"];
  const start = async () => {
    const server = await startServer(args, (piece) => requests.hear(piece));
    if (server.log().includes("taken by another program")) throw new Error(server.log());
    return server;
  };
  let server = await start();
  endings.push(() => server.stop());
  await house.server.leadTo(changeServer ? await rewriter(t, port, changeServer) : port);
  const counted = await counter(t, storePort);
  await house.store.leadTo(changeStore ? await rewriter(t, counted.port, changeStore) : counted.port);
  const profile = await house.browser.createBrowserContext();
  endings.push(() => profile.close());

  return {
    url: server.url,
    data,
    tmp,
    requests,
    /** What the store was sent. */
    sent: counted,
    browser: house.browser,
    /** A page of the test's own profile. */
    newPage: () => profile.newPage(),
    /** The way from the browser to the store. */
    store: house.store,
    /** The way from the browser to the server. */
    server: house.server,
    /**
     * Ends server and store by a signal.
     *
     * @param {NodeJS.Signals} signal
     */
    async end(signal) {
      await server.stop(signal);
      requests.cut();
    },
    /** Starts them again, at the same addresses with the same data. */
    async again() {
      server = await start();
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof faultStage>>} FaultStage */

/**
 * @typedef {object} Entry
 * @property {string} what    "UploadPart", "CompleteMultipartUpload", …, or the path of a call to the server
 * @property {number} part    0 for none
 * @property {number} status
 */

/** What server and store have answered, by their log. A part is in it once it is on the disk. */
export class Requests {
  /** @type {Entry[]} */
  entries = [];
  #rest = "";
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /** @param {string} piece */
  hear(piece) {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const m = /msg=(s3|request) (?:requestId=\S+ )?method=(\S+) path=("(?:[^"\\]|\\.)*"|\S+) (?:partNumber=(\S+) uploadId=(\S+) )?status=(\d+)/.exec(line);
      if (!m) continue;
      const [, from, method, path = "", part, id, status] = m;
      const what = from === "request" ? path : call(method, part !== '""', id !== '""');
      this.entries.push({ what, part: Number(part?.replaceAll('"', "") ?? 0), status: Number(status) });
    }
    for (const look of this.#waiting) look();
  }

  /** The log was broken off. */
  cut() {
    this.#rest = "";
  }

  /** @param {string} what @param {number} [status] */
  count(what, status) {
    return this.entries.filter((e) => e.what === what && (status === undefined || e.status === status)).length;
  }

  /** The parts that the store has taken, in the order in which it did; from an entry on. */
  parts(from = 0) {
    return this.entries.slice(from).filter((e) => e.what === "UploadPart" && e.status === 200).map((e) => e.part);
  }

  /**
   * Settles as soon as it is so.
   *
   * @param {(r: Requests) => boolean} so
   * @returns {Promise<void>}
   */
  until(so) {
    return new Promise((resolve) => {
      const look = () => {
        if (!so(this)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** @param {string | undefined} method @param {boolean} part @param {boolean} id */
function call(method, part, id) {
  switch (method) {
    case "PUT":
      return part ? "UploadPart" : "PutObject";
    case "POST":
      return id ? "CompleteMultipartUpload" : "CreateMultipartUpload";
    case "GET":
      return "ListParts";
    case "DELETE":
      return "AbortMultipartUpload";
  }
  return String(method);
}

/**
 * Begins to upload the first of the page's files (see giveFiles), or goes on
 * with the interrupted upload of it. The page keeps it as `window.upload`.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {{ resume?: boolean, options?: object }} [how] options are the Uploader's
 */
export async function begin(page, { resume = false, options = {} } = {}) {
  await page.evaluate(async (resume, options) => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const w = /** @type {any} */ (window);
    const uploader = new Uploader({ destination, partSize: 5 << 20, concurrency: 4, ...options });
    if (resume) {
      const pending = await uploader.pending();
      if (pending.length !== 1) throw new Error(`${pending.length} interrupted uploads; there should be one`);
      w.upload = uploader.resume(pending[0], w.files[0]);
    } else {
      w.upload = uploader.upload(w.files[0]);
    }
    w.states = [];
    w.upload.addEventListener("state", () => w.states.push(w.upload.state));
  }, resume, options);
}

/**
 * How the page's upload ended.
 *
 * @param {import("puppeteer-core").Page} page
 * @returns {Promise<{ key?: string, code?: string, status?: number, message?: string, requestId?: string, states: string[] }>}
 */
export function outcome(page) {
  return page.evaluate(async () => {
    const { upload, states } = /** @type {any} */ (window);
    try {
      const { key } = await upload.result;
      return { key, states };
    } catch (e) {
      const { code, status, message, requestId } = /** @type {any} */ (e);
      return { code, status, message, requestId, states };
    }
  });
}

/**
 * Waits until the page's upload is so far.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {(upload: any) => boolean} so runs in the page, at every progress
 */
export async function reached(page, so) {
  // A string, for the page's Content-Security-Policy lets nobody make functions of text.
  await page.evaluate(`new Promise((resolve) => {
    const so = ${so};
    const look = () => so(upload) && resolve();
    upload.addEventListener("progress", look);
    upload.addEventListener("state", look);
    look();
  })`);
}

/**
 * The same session of the embedded store, ending earlier: sealed with the
 * store's own key, so that the store itself refuses it from then on. Its STS
 * gives none of less than 15 minutes (server/devstore/session.go).
 *
 * @param {string} data the store's folder
 * @param {string} token the session token
 * @param {number} seconds from now
 */
export async function endingIn(data, token, seconds) {
  const { key, label, session } = await openSession(data, token);
  session.e = Math.floor(Date.now() / 1000) + seconds;
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(label));
  const packed = Buffer.concat([cipher.update(deflateRawSync(JSON.stringify(session))), cipher.final()]);
  return Buffer.concat([nonce, packed, cipher.getAuthTag()]).toString("base64url");
}
