import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { browserName, devstoreKey, giveFiles, inWorkers, openDemo, openSession, randomFile, sha256, slow, stage } from "./harness.js";

const MiB = 1 << 20;

/**
 * Runs in the worker before its own code: keeps what it sends, hears and says, and
 * searches that, its storage and its modules' memory for what the page asks for.
 */
const listen = () => {
  const w = /** @type {any} */ (globalThis);
  /** @type {Record<string, string[]>} */
  const kept = { messages: [], requests: [], replies: [] };
  /** @type {WebAssembly.Memory[]} */
  const memories = [];
  /** @type {(x: unknown) => string} */
  const text = (x) => {
    if (x instanceof ArrayBuffer) return new TextDecoder("latin1").decode(x);
    if (ArrayBuffer.isView(x)) return new TextDecoder("latin1").decode(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
    if (x instanceof Blob || x === null || typeof x !== "object") return String(x);
    return Object.entries(x).map(([name, value]) => `${name}: ${text(value)}`).join("\n");
  };
  const keep = (/** @type {string} */ what, /** @type {unknown} */ x) => void kept[what]?.push(text(x));
  const { postMessage, fetch } = w;
  w.postMessage = (/** @type {any[]} */ ...a) => {
    keep("messages", a[0]);
    return postMessage.apply(w, a);
  };
  w.addEventListener("message", (/** @type {MessageEvent} */ e) => keep("messages", e.data));
  w.fetch = async (/** @type {RequestInfo} */ input, /** @type {RequestInit} */ init) => {
    keep("requests", [String(input), init?.body ?? "", ...(init?.headers ? [...new Headers(init.headers)].flat() : [])]);
    const reply = await fetch(input, init);
    if (!/\.(wasm|js)$/.test(String(input))) keep("replies", await reply.clone().text());
    return reply;
  };
  const { open, setRequestHeader } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (/** @type {any[]} */ ...a) {
    keep("requests", a);
    this.addEventListener("load", () => keep("replies", this.response));
    return open.apply(this, /** @type {any} */ (a));
  };
  XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
    keep("requests", [name, value]);
    return setRequestHeader.call(this, name, value);
  };
  const { instantiate } = WebAssembly;
  WebAssembly.instantiateStreaming = async (source, imports) => {
    const made = await instantiate(await (await source).arrayBuffer(), imports);
    const x = /** @type {any} */ (made.instance.exports);
    memories.push(x.memory ?? x.mem);
    return made;
  };
  const wait = (/** @type {IDBRequest} */ r) => new Promise((resolve, reject) => {
    r.onsuccess = () => resolve(r.result);
    r.onerror = () => reject(r.error);
  });
  const stored = async () => {
    const all = [];
    for (const { name } of await indexedDB.databases()) {
      const db = /** @type {IDBDatabase} */ (await wait(indexedDB.open(name ?? "")));
      for (const store of db.objectStoreNames) {
        const rows = db.transaction(store).objectStore(store);
        all.push(store, text(await wait(rows.getAllKeys())), text(await wait(rows.getAll())));
      }
      db.close();
    }
    for (const name of await caches.keys()) for (const r of await (await caches.open(name)).keys()) all.push(r.url);
    return all;
  };
  const look = new BroadcastChannel("look");
  look.onmessage = async ({ data }) => {
    if (!data.needles) return;
    const places = { ...kept, storage: await stored(), memory: memories.map((m) => text(m.buffer)) };
    /** @type {Record<string, string[]>} */
    const found = {};
    for (const [place, texts] of Object.entries(places)) {
      found[place] = data.needles.filter((/** @type {string} */ n) => texts.some((t) => t.includes(n)));
    }
    const token = /(?:x-amz-security-token\n1: |X-Amz-Security-Token=)([\w-]+)/.exec(kept["requests"]?.join("\n") ?? "")?.[1];
    look.postMessage({ found, token, sizes: Object.fromEntries(Object.entries(places).map(([p, t]) => [p, t.join("").length])) });
  };
};

/**
 * What is found of the needles, by place: in the worker, and in the page's own storage.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string[]} needles
 * @returns {Promise<{ found: Record<string, string[]>, token: string, sizes: Record<string, number> }>}
 */
const search = (page, needles) =>
  page.evaluate(async (needles) => {
    const look = new BroadcastChannel("look");
    const answer = new Promise((resolve) => (look.onmessage = ({ data }) => data.found && resolve(data)));
    look.postMessage({ needles });
    const said = /** @type {any} */ (await answer);
    look.close();
    const own = [localStorage, sessionStorage].flatMap((s) => Object.entries(s).flat()).concat(document.cookie).join("\n");
    said.found.page = needles.filter((n) => own.includes(n));
    return said;
  }, needles);

/**
 * The needles that are in a JavaScript heap, as the debugger shows it.
 *
 * @param {any} client of a page or a worker
 * @param {string[]} needles
 */
async function inHeap(client, needles) {
  let text = "";
  const hear = (/** @type {{ chunk: string }} */ { chunk }) => void (text += chunk);
  client.on("HeapProfiler.addHeapSnapshotChunk", hear);
  await client.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  client.off("HeapProfiler.addHeapSnapshotChunk", hear);
  assert.ok(text.length > 100_000, `a heap of ${text.length} characters`);
  return needles.filter((n) => text.includes(n.replaceAll("/", "\\/")) || text.includes(n));
}

test("no credential is in the page", (t) => look(t, "demo-presigned"));

// The same search finds them where the page signs.
test("credentials are in the page that signs", (t) => look(t, "demo"));

/**
 * Looks for credentials in the middle of an upload and, where there are none, at its end.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} to a destination
 */
async function look(t, to) {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 64 * MiB);
  const page = await s.browser.newPage();
  await inWorkers(page, listen);
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  await page.evaluate(async (to) => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const upload = new Uploader({ destination: to, partSize: 5 << 20, maxBytesPerSecond: slow }).upload(/** @type {any} */ (window).files[0]);
    /** @type {any} */ (window).upload = upload;
    let paused = false;
    await new Promise((resolve, reject) => {
      upload.addEventListener("progress", () => {
        if (upload.progress.partsDone >= 3 && !paused) {
          paused = true;
          upload.pause();
        }
        if (upload.state === "paused" && upload.progress.sending === 0) resolve(undefined);
      });
      upload.result.catch(reject);
    });
  }, to);

  const { token } = await search(page, []);
  const { session } = await openSession(s.data, token);
  const root = Buffer.from(await devstoreKey(s.data, "root secret access key", 30)).toString("base64");
  const secrets = [session.s, root];
  const words = ["secretAccessKey", "sessionToken", "accessKeyId"];
  const { found, sizes } = await search(page, [...secrets, ...words]);
  for (const place of ["messages", "requests", "replies", "storage", "memory"]) assert.ok((sizes[place] ?? 0) > 100, `${place} has ${sizes[place]} characters`);
  if (to === "demo") {
    assert.deepEqual([found["replies"], found["memory"]?.includes(session.s)], [[session.s, ...words], true]);
    for (const place of ["messages", "requests", "storage", "page"]) assert.deepEqual(found[place], [], place);
    return;
  }
  assert.deepEqual(found, { messages: [], requests: [], replies: [], storage: [], memory: [], page: [] });
  if (browserName === "chrome") {
    const [worker] = page.workers();
    for (const client of [await page.createCDPSession(), /** @type {any} */ (worker).client]) assert.deepEqual(await inHeap(client, secrets), []);
  }
  const key = await page.evaluate(async () => {
    const { upload } = /** @type {any} */ (window);
    upload.resume();
    return (await upload.result).key;
  });
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.deepEqual((await search(page, [...secrets, ...words])).found, { messages: [], requests: [], replies: [], storage: [], memory: [], page: [] });
}
