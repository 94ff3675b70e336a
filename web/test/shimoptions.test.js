// Each option and callback of EvaporateJS 2.1.4: what became of it, and that docs/migrate.md says so.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gate, openDemo, randomFile, sha256, stage } from "./harness.js";
import { changeImport, choose } from "./widget.js";

const read = (/** @type {string} */ path) => readFile(new URL(path, import.meta.url), "utf8");

/** The options, and what to do about them, that web/src/evaporate/options.ts lists as meaningless. */
async function meaningless() {
  const [, table = ""] = /meaningless: Record<string, string> = \{\n(.*?)\n\};/s.exec(await read("../src/evaporate/options.ts")) ?? [];
  return [...table.matchAll(/^ {2}(\w+):/gm)].map((m) => m[1] ?? "");
}

test("docs/migrate.md has a row for each option and callback in EvaporateJS's source, and for no other", async () => {
  const source = await read("../node_modules/evaporate/evaporate.js");
  assert.match(source, /version 2\.1\.4/);
  const found = new Set();
  // The options with a default, of create and of add, and what it reads of them or of a file besides.
  for (const [, block = ""] of [...source.matchAll(/this\.config = extend\(\{(.*?)\}, config\)/gs), ...source.matchAll(/new FileUpload\(extend\(\{(.*?)\}, file, \{/gs)]) {
    for (const m of block.matchAll(/^\s+(\w+):/gm)) found.add(m[1]);
  }
  for (const m of source.matchAll(/\b(?:con|config|evapConfig|fileConfig)\.(\w+)/g)) found.add(m[1]);
  for (const name of ["name", "file", "contentType"]) if (new RegExp(`\\b(?:file|fileUpload)\\.${name}\\b`).test(source)) found.add(name);
  assert.ok(found.size > 50);

  const page = await read("../../docs/migrate.md");
  const [, table = ""] = /\n### Option by option\n(.*?)(?=\n##? |$)/s.exec(page) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)`/gm)].map((m) => m[1]);
  const ours = ["endpoint", "destination"];
  assert.deepEqual(rows.filter((name) => !ours.includes(name ?? "")).sort(), [...found].sort());

  const nothing = [...table.matchAll(/^\| `(\w+)` \| no meaning/gm)].map((m) => m[1]);
  assert.deepEqual(nothing.sort(), (await meaningless()).sort());
});

test("an option without a meaning is said once, with what to do", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const names = await meaningless();
  const { warnings, called, silent } = await page.evaluate(async (names) => {
    const { default: Evaporate } = await import(/** @type {string} */ ("/chunksign/evaporate.js"));
    /** @type {string[]} */
    const warnings = [];
    console.warn = (/** @type {string} */ text) => void warnings.push(text);
    const needed = { bucket: "b", destination: "demo" };
    await Evaporate.create({ ...needed, computeContentMd5: false, mockLocalStorage: false, s3FileCacheHoursAgo: 0, cloudfront: undefined });
    const silent = warnings.length;
    const all = Object.fromEntries(names.filter((n) => !/headers/i.test(n)).map((n) => [n, "x"]));
    await Evaporate.create({ ...needed, ...all, maxConcurrentParts: 10 });
    const e = await Evaporate.create({ ...needed, ...all, maxConcurrentParts: 10, partSize: 1 });
    /** @type {unknown[][]} */
    const called = [];
    const token = { "x-amz-security-token": "t" };
    const headers = Object.fromEntries(names.filter((n) => /headers/i.test(n)).map((n) => [n, { "x-amz-meta-a": "b" }]));
    const warn = (/** @type {unknown[]} */ ...words) => void called.push(words);
    for (const more of [{ xAmzHeadersCommon: token }, headers, headers]) {
      await e.add({ name: "a", file: new File(["x"], "a"), warn, ...more });
    }
    return { warnings, called, silent };
  }, names);
  assert.equal(silent, 0, "what asks for nothing is warned of");
  const of = (/** @type {string} */ name) => warnings.filter((w) => w.startsWith(`chunksign/evaporate: ${name} has no meaning as it is; `));
  for (const name of [...names, "maxConcurrentParts", "partSize"]) assert.equal(of(name).length, 1, name);
  assert.equal(warnings.length, names.length + 2);
  const [, option, what] = called[0] ?? [];
  assert.ok(called.length === names.filter((n) => /headers/i.test(n)).length && names.includes(String(option)) && /destination's settings/.test(String(what)));
});

test("each option that is kept does what it did", async (t) => {
  /** @type {{ url: string, session: string | undefined, token: string | undefined }[]} */
  const heard = [];
  let trouble = 2;
  const front = await gate(t, ({ url = "", headers }) => {
    heard.push({ url, session: /** @type {string} */ (headers["x-session"]), token: headers.authorization });
    return url === "/v1/uploads/complete" && trouble-- > 0 ? 503 : undefined;
  });
  const s = await stage(t, { serverArgs: ["-origin", front.origin] });
  front.to(s.url);
  const page = await openDemo({ ...s, url: front.origin });
  await changeImport(page);
  const file = await randomFile(s.tmp, "a (b).bin", 30 << 20);
  await choose(page, file.path);
  const done = await page.evaluate(async (origin) => {
    const { Evaporate } = /** @type {any} */ (window);
    const [file] = /** @type {FileList} */ (/** @type {HTMLInputElement} */ (document.querySelector("#widget")).files);
    /** @type {any[][]} */
    const calls = [];
    const tell = (/** @type {string} */ name) => (/** @type {any[]} */ ...args) => void calls.push([name, ...args]);
    let most = 0, last = -1, asked = 0;
    const e = await Evaporate.create({
      bucket: "demo", signerUrl: `${origin}/evaporate/sign`, xhrWithCredentials: true,
      signParams: { dest: () => "demo-s3direct", more: 1 }, signHeaders: { "X-Session": () => "s", Authorization: () => `Bearer ${++asked}` },
      signResponseHandler: async (/** @type {string} */ answer, /** @type {string} */ text, /** @type {string} */ datetime) => {
        calls.push(["signResponseHandler", decodeURIComponent(text).split("\n")[0], datetime.length]);
        return answer.trim();
      },
      evaporateChanged: (/** @type {unknown} */ self, /** @type {number} */ count) => {
        if (self !== e && e) calls.push(["another"]);
        most = Math.max(most, count);
        last = count;
      },
      maxConcurrentParts: 2, partSize: 5 << 20, encodeFilename: false, progressIntervalMS: 20, logging: false,
    });
    const name = await e.add(
      {
        name: "my own/%.bin", file, contentType: "text/x-mine",
        beforeSigner: (/** @type {XMLHttpRequest} */ xhr, /** @type {string} */ url) => calls.push(["beforeSigner", xhr.withCredentials, url.includes("&dest=demo-s3direct&more=1")]),
        ...Object.fromEntries(["started", "uploadInitiated", "complete", "nameChanged", "info", "warn", "error"].map((n) => [n, tell(n)])),
        progress: (/** @type {number} */ ratio, /** @type {any} */ stats) => calls.push(["progress", ratio, stats]),
      },
      { encodeFilename: true, maxFileSize: 30 << 20 },
    );
    return { name, calls: JSON.parse(JSON.stringify(calls)), most, last, asked };
  }, front.origin);
  /** @type {any[][]} */
  const calls = done.calls;
  const of = (/** @type {string} */ name) => calls.filter(([n]) => n === name).map(([, ...args]) => args);
  assert.equal(await sha256(join(s.data, "demo", done.name)), file.sha256);
  assert.match(done.name, /\/a \(b\)\.bin$/);
  assert.deepEqual(of("started"), [["demo/my own/%.bin"]]);
  assert.deepEqual(of("nameChanged"), [[done.name]], "encodeFilename: false, which add's options do not change");
  assert.equal(of("complete")[0]?.[1], done.name);
  assert.match(of("uploadInitiated")[0]?.[0], /^[0-9a-f-]{36}$/);
  assert.deepEqual(of("beforeSigner"), [[true, true]]);
  assert.deepEqual(of("signResponseHandler"), [["CHUNKSIGN-GRANT", 16]]);
  assert.ok(done.most <= 2 && done.last === 0, `${done.most} parts at once, ${done.last} at the end`);
  assert.deepEqual(of("error"), []);
  assert.deepEqual(of("info").at(-1), ["will attempt to complete upload"]);
  assert.ok(of("warn").length >= 1 && of("warn")[0]?.length === 3 && /internal/.test(of("warn")[0]?.[2]), JSON.stringify(of("warn")));

  const ratios = of("progress").map(([ratio]) => ratio);
  assert.deepEqual([ratios[0], ratios.at(-1)], [0, 1]);
  for (const [ratio, stats] of of("progress")) {
    assert.equal(stats.totalUploaded + stats.remainingSize, file.size);
    assert.equal(stats.fileSize, file.size);
    assert.equal(stats.totalUploaded === 0 ? "" : stats.readableSpeed, stats.readableSpeed);
    assert.equal(ratio, stats.totalUploaded / file.size);
    assert.equal(stats.secondsLeft, stats.speed > 0 ? Math.round(stats.remainingSize / stats.speed) : -1);
  }
  assert.equal(of("progress").reduce((sum, [, { loaded }]) => sum + loaded, 0), file.size);

  // Every call to the server has signHeaders, and its own token; the store has neither.
  assert.deepEqual([...new Set(heard.filter(({ url }) => url.startsWith("/v1/uploads/")).map(({ url }) => url))].sort(), ["/v1/uploads/complete", "/v1/uploads/credentials"]);
  const ours = heard.filter(({ url }) => url.startsWith("/v1/uploads/") || url.startsWith("/evaporate/"));
  for (const { session, token } of ours) assert.ok(session === "s" && /^Bearer \d+$/.test(token ?? ""), JSON.stringify(ours));
  assert.ok(new Set(ours.map(({ token }) => token)).size > 2, "signHeaders' function was asked once only");
  const grant = decodeURIComponent(heard.find(({ url }) => url.startsWith("/evaporate/sign"))?.url ?? "");
  assert.match(grant, /"type":"text\/x-mine"/);
});

test("a page that names endpoint and destination needs no signer; what is refused is said", async (t) => {
  let refuse = 0;
  const front = await gate(t, ({ method, url = "" }) => (method === "POST" && url.startsWith("/v1/") && refuse ? refuse : undefined));
  const s = await stage(t, { serverArgs: ["-origin", front.origin] });
  front.to(s.url);
  const page = await openDemo({ ...s, url: front.origin });
  await changeImport(page);
  const add = (/** @type {string} */ destination) =>
    page.evaluate(async (endpoint, destination) => {
      const { Evaporate } = /** @type {any} */ (window);
      /** @type {any[][]} */
      const calls = [];
      const tell = (/** @type {string} */ name) => (/** @type {any[]} */ ...args) => void calls.push([name, ...args]);
      const e = await Evaporate.create({ endpoint, destination, bucket: "demo", logging: false });
      const callbacks = Object.fromEntries(["started", "uploadInitiated", "nameChanged", "error"].map((n) => [n, tell(n)]));
      const outcome = await e.add({ name: "x", file: new Blob(["four"]), ...callbacks }).catch((/** @type {string} */ reason) => `refused: ${reason}`);
      return { outcome, calls };
    }, front.origin, destination);
  const { outcome, calls } = await add("demo");
  assert.match(outcome, /^demo\/[0-9a-f-]{36}\/x$/);
  // One part goes as one PutObject: there is no upload ID.
  assert.deepEqual(calls, [["started", "demo/x"], ["nameChanged", outcome], ["uploadInitiated", ""]]);

  const own = await page.evaluate(async () => {
    const e = await /** @type {any} */ (window).Evaporate.create({ bucket: "demo", customAuthMethod: () => Promise.reject({ mine: 1 }), logging: false });
    return e.add({ name: "x", file: new Blob(["four"]) }).catch((/** @type {unknown} */ reason) => reason);
  });
  assert.deepEqual(own, { mine: 1 }, "what customAuthMethod rejects with");

  const unknown = await add("nope");
  assert.match(unknown.outcome, /^refused: File upload aborted: destination_unknown: /);
  assert.deepEqual(unknown.calls.at(-1), ["error", unknown.outcome.replace("refused: ", "")]);
  for (const status of [401, 403]) {
    refuse = status;
    assert.match((await add("demo")).outcome, new RegExp(`^refused: Permission denied status:${status}`));
  }
});
