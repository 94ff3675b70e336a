import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { begin, endingIn, faultStage, outcome, reached } from "./faultstage.js";
import { browserName, destination, giveFiles, objects, openDemo, orphanParts, presigned, randomFile, sha256 } from "./harness.js";

const MiB = 1 << 20;
const parts = 7; // of the file of most tests: 32 MiB in parts of 5 MiB
const timeout = 60_000;

/**
 * A stage with the demo page open and a file in it.
 *
 * @param {import("node:test").TestContext} t
 * @param {Parameters<typeof faultStage>[1]} [options]
 */
async function ready(t, options) {
  const s = await faultStage(t, options);
  const file = await randomFile(s.tmp, "film.bin", 32 * MiB);
  const page = await openDemo(s, { page: await s.newPage() });
  await giveFiles(page, file.path);
  return { s, file, page };
}

/**
 * The upload has ended well: the object is the file, and nothing else is left.
 *
 * @param {Awaited<ReturnType<typeof ready>>} stage
 * @returns {Promise<string[]>} the states it went through
 */
async function endsWell({ s, file, page }) {
  const end = await outcome(page);
  assert.ok(end.key, `${end.code} ${end.status}: ${end.message}; states: ${end.states}`);
  assert.deepEqual(await objects(join(s.data, "demo")), [end.key]);
  assert.equal(await sha256(join(s.data, "demo", end.key)), file.sha256);
  assert.deepEqual(await orphanParts(s.data), []);
  return end.states;
}

test("a slow line, late and narrow, only takes longer", { timeout }, async (t) => {
  const stage = await ready(t);
  await stage.s.store.put("latency", { latency: 100, jitter: 50 });
  await stage.s.store.put("latency", { latency: 100 }, "downstream");
  await stage.s.store.put("bandwidth", { rate: 4096 });
  await stage.s.server.put("latency", { latency: 200 });
  await begin(stage.page);
  await endsWell(stage);
  assert.equal(stage.s.requests.parts().length, parts, "each part is sent once");
});

test("connections reset in the middle of bodies cost the parts that were under way, no more", { timeout }, async (t) => {
  const stage = await ready(t);
  const { s, page } = stage;
  await s.store.put("bandwidth", { rate: 4096 });
  await begin(page);
  const resets = 4;
  for (let i = 0; i < resets; i++) {
    await reached(page, (u) => u.progress.sent > u.progress.confirmed + 2 ** 20);
    await s.store.put("reset_peer", { timeout: 0 });
    await reached(page, (u) => u.progress.sent === u.progress.confirmed);
    await s.store.take("reset_peer");
  }
  await s.store.take("bandwidth");
  await endsWell(stage);
  assert.ok(s.requests.parts().length <= parts + resets * 4);
});

test("a line that delivers in slices", { timeout }, async (t) => {
  const stage = await ready(t);
  for (const stream of /** @type {const} */ (["upstream", "downstream"])) {
    await stage.s.store.put("slicer", { average_size: 1000, size_variation: 900, delay: 10 }, stream);
    await stage.s.server.put("slicer", { average_size: 10, size_variation: 9, delay: 100 }, stream);
  }
  await begin(stage.page);
  await endsWell(stage);
  assert.equal(stage.s.requests.parts().length, parts);
});

test("parts whose bytes stand still are cut and sent again", { timeout }, async (t) => {
  const stage = await ready(t);
  const { s, page } = stage;
  await s.store.put("bandwidth", { rate: 4096 });
  await begin(page, { options: { stallTimeout: 1 } });
  await s.requests.until((r) => r.parts().length >= 1);
  await s.store.put("timeout", { timeout: 0 }); // no byte passes, no connection ends
  await reached(page, (u) => u.progress.trouble?.code === "stalled");
  await s.store.take("timeout");
  await s.store.take("bandwidth");
  await endsWell(stage);
  assert.ok(s.requests.parts().length <= parts + 4);
});

for (const signal of /** @type {const} */ (["SIGKILL", "SIGTERM"])) {
  test(`server and store ended by ${signal} in the middle, and started again`, { timeout }, async (t) => {
    const stage = await ready(t);
    const { s, page } = stage;
    await s.store.put("bandwidth", { rate: 8192 });
    await begin(page);
    await s.requests.until((r) => r.parts().length >= 2);
    await s.end(signal);
    await s.again();
    await s.store.take("bandwidth");
    await endsWell(stage);
    assert.ok(s.requests.parts().length <= parts + 4);
  });
}

test("the server is away when the upload asks what became of it", { timeout }, async (t) => {
  const stage = await ready(t);
  const { s, page } = stage;
  await begin(page);
  await s.requests.until((r) => r.count("CreateMultipartUpload") > 0);
  await s.server.down();
  if (presigned) {
    await reached(page, (u) => u.progress.trouble?.code === "network"); // nothing is signed, and nothing completed
  } else {
    await s.requests.until((r) => r.count("CompleteMultipartUpload", 200) > 0);
    await reached(page, (u) => u.state === "finishing");
  }
  await s.server.up();
  await endsWell(stage);
});

test("server and store end with the Complete done and its reply not sent", { timeout }, async (t) => {
  let lose = true;
  /** @type {() => void} */
  let completed = () => undefined;
  const complete = new Promise((resolve) => (completed = () => resolve(undefined)));
  /** @type {NonNullable<Parameters<typeof faultStage>[1]>["changeStore"]} */
  const change = (request, reply) => {
    if (nameOf(request, reply) !== "CompleteMultipartUpload" || !lose) return undefined;
    lose = false;
    completed();
    return "lose";
  };
  const stage = await ready(t, { changeStore: change, changeServer: change });
  await begin(stage.page);
  await complete;
  await stage.s.end("SIGKILL");
  await stage.s.again();
  await endsWell(stage);
  assert.equal(stage.s.requests.parts().length, parts);
});

const ours = [`/v1/destinations/${destination}/uploads`, "/v1/uploads/complete", ...(presigned ? ["/v1/uploads/parts"] : [])];
for (const lost of ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", ...ours]) {
  test(`the reply to ${lost} is lost, twice`, { timeout }, async (t) => {
    let left = 2;
    /** @type {NonNullable<Parameters<typeof faultStage>[1]>["changeStore"]} */
    const lose = (request, reply) => {
      if (left === 0 || request.method === "OPTIONS" || nameOf(request, reply) !== lost) return undefined;
      left--;
      return /** @type {const} */ ("lose");
    };
    const stage = await ready(t, { changeStore: lose, changeServer: lose });
    await begin(stage.page);
    const end = await outcome(stage.page);
    assert.ok(end.key, `${end.code}: ${end.message}`);
    assert.equal(left, 0);
    assert.equal(await sha256(join(stage.s.data, "demo", end.key)), stage.file.sha256);
    assert.deepEqual(await objects(join(stage.s.data, "demo")), [end.key]);
    assert.ok(stage.s.requests.parts().length <= parts + 2);
    // Nobody knows the name of an upload whose Create was not heard: a sweep's business.
    if (lost !== "CreateMultipartUpload") assert.deepEqual(await orphanParts(stage.s.data), []);
  });
}

// What is said to the server, where it completes the upload, is the server's to understand.
if (!presigned) test("an error inside a Complete's 200 is not taken for success", { timeout }, async (t) => {
  let left = 2;
  const stage = await ready(t, {
    changeStore(request, reply) {
      if (nameOf(request, reply) !== "CompleteMultipartUpload" || left === 0) return undefined;
      left--;
      // AmazonS3/latest/API/API_CompleteMultipartUpload.html, "Error Response": the status was sent before it went wrong.
      const body = `<?xml version="1.0" encoding="UTF-8"?>\n\n<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message><RequestId>656c76696e6727732072657175657374</RequestId></Error>`;
      return { ...reply, status: 200, body };
    },
  });
  await begin(stage.page);
  await endsWell(stage);
  assert.equal(left, 0);
  assert.equal(stage.s.requests.count("CompleteMultipartUpload"), 3);
});

// What S3 and versitygw say of a session that has ended, what MinIO says, what Ceph says.
for (const [status, code] of /** @type {const} */ ([[400, "ExpiredToken"], [403, "InvalidAccessKeyId"], [403, "AccessDenied"]])) {
  if (!presigned) test(`sessions that end in the middle, with ${status} ${code}, are renewed once`, { timeout }, async (t) => {
    let grants = 0;
    let refusals = 0;
    /** @type {() => void} */
    let refused = () => undefined;
    const first = new Promise((resolve) => (refused = () => resolve(undefined)));
    const stage = await ready(t, {
      async changeServer({ method, url }, reply) {
        if (method !== "POST" || url !== `/v1/destinations/${destination}/uploads`) return undefined;
        const grant = JSON.parse(reply.body);
        grants++;
        grant.credentials.sessionToken = await endingIn(stage.s.data, grant.credentials.sessionToken, 2);
        return { ...reply, body: JSON.stringify(grant) };
      },
      changeStore(_, reply) {
        if (!reply.body.includes("<Code>ExpiredToken</Code>")) return undefined;
        refusals++;
        refused();
        return { ...reply, status, body: reply.body.replace("ExpiredToken", code) };
      },
    });
    await stage.s.store.put("bandwidth", { rate: 2560 });
    await begin(stage.page);
    await first;
    await stage.s.store.take("bandwidth");
    await endsWell(stage);
    assert.equal(grants, 1);
    assert.ok(refusals >= 1 && refusals <= 4, `${refusals} requests were refused; at most the four under way can be`);
    assert.equal(stage.s.requests.count("/v1/uploads/credentials"), 1);
    assert.ok(stage.s.requests.parts().length === parts);
  });
}

if (presigned) test("what the server signed and the store no longer takes is signed anew, once", { timeout }, async (t) => {
  let refused = 0;
  let anew = false; // the server has signed since the store refused
  const stage = await ready(t, {
    changeServer({ url }) {
      if (url === "/v1/uploads/parts") anew = refused > 0;
      return undefined;
    },
    changeStore(request, reply) {
      if (nameOf(request, reply) !== "UploadPart" || anew) return undefined;
      refused++;
      return { ...reply, status: 403, body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>` };
    },
  });
  await begin(stage.page);
  const end = await outcome(stage.page);
  assert.ok(end.key, `${end.code}: ${end.message}`);
  assert.equal(await sha256(join(stage.s.data, "demo", end.key)), stage.file.sha256);
  assert.ok(refused >= 1 && refused <= 4, `${refused} were refused; at most the four under way can be`);
  assert.equal(stage.s.requests.count("/v1/uploads/credentials"), 0);
});

test("offline waits, online goes on, again and again", { timeout }, async (t) => {
  const stage = await ready(t);
  const { s, page } = stage;
  // Puppeteer's own page.setOfflineMode needs what launch() turns off.
  const devtools = browserName === "chrome" ? await page.createCDPSession() : undefined;
  await devtools?.send("Network.enable");
  const setOffline = (/** @type {boolean} */ offline) =>
    devtools?.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 }) ?? page.setOfflineMode(offline);
  await s.store.put("bandwidth", { rate: 4096 });
  await begin(page);
  for (let i = 1; i <= 3; i++) {
    await s.requests.until((r) => r.parts().length >= i);
    await setOffline(true);
    await reached(page, (u) => u.state === "offline");
    await setOffline(false);
    await reached(page, (u) => u.state !== "offline");
  }
  await s.store.take("bandwidth");
  const states = await endsWell(stage);
  assert.equal(states.filter((s) => s === "offline").length, 3, states.join());
});

test("a store that asks to be asked more slowly", { timeout }, async (t) => {
  const once = new Set();
  const stage = await ready(t, {
    changeStore({ method, url = "" }, reply) {
      const { pathname, searchParams: q } = new URL(url, "http://x");
      const what = [method, pathname, q.has("uploads"), q.get("partNumber"), q.get("uploadId")].join(" ");
      if (method === "OPTIONS" || once.has(what)) return undefined;
      once.add(what);
      const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`;
      return { ...reply, status: 503, body };
    },
  });
  await begin(stage.page);
  const end = await outcome(stage.page);
  assert.ok(end.key, `${end.code}: ${end.message}`);
  assert.equal(await sha256(join(stage.s.data, "demo", end.key)), stage.file.sha256);
});

test("a bucket whose CORS does not expose ETag: said once, with the CORS to set, where the page needs them, and uploaded all the same", { timeout }, async (t) => {
  const stage = await ready(t, {
    changeStore(_, reply) {
      const { "access-control-expose-headers": __, ...headers } = reply.headers;
      return { ...reply, headers };
    },
  });
  /** @type {string[]} */
  const said = [];
  stage.page.on("console", (m) => m.text().startsWith("chunksign: ") && said.push(m.text()));
  await begin(stage.page);
  await endsWell(stage);
  assert.equal(said.length, presigned ? 0 : 1, said.join("\n"));
  assert.equal(stage.s.requests.parts().length, parts);
  if (presigned) return;
  const cors = JSON.parse(/** @type {RegExpMatchArray} */ (said[0]?.match(/\[\{.*\}\]/))[0]);
  assert.ok(cors[0].ExposeHeaders.includes("ETag"));
  assert.deepEqual(cors[0].AllowedOrigins, [new URL(stage.s.url).origin]);
});

/** @type {[string, (file: { path: string, size: number }) => Promise<unknown>][]} */
const changes = [
  ["written over", async ({ path, size }) => writeFile(path, randomBytes(size))],
  ["written over, its time set back", async ({ path, size }) => {
    const { atime, mtime } = await stat(path);
    await writeFile(path, randomBytes(size));
    await utimes(path, atime, mtime);
  }],
  ["cut short", async ({ path }) => truncate(path, 10 * MiB)],
  ["removed", async ({ path }) => rm(path)],
];
for (const [what, change] of changes) {
  test(`a file that is ${what} while it is uploaded: said, and nothing completed`, { timeout }, async (t) => {
    const { s, file, page } = await ready(t);
    await s.store.put("bandwidth", { rate: 4096 });
    await begin(page, { options: { stallTimeout: 2 } }); // Firefox sends no more of a file that is gone, and says nothing
    await s.requests.until((r) => r.parts().length >= 1);
    await change(file);
    await s.store.take("bandwidth");
    const end = await outcome(page);
    assert.match(`${end.code}`, /^file_(changed|unreadable)$/, `${end.code}: ${end.message}`);
    assert.equal(end.states.at(-1), "failed");
    assert.equal(s.requests.count("CompleteMultipartUpload"), 0);
    assert.deepEqual(await objects(join(s.data, "demo")), []);
  });
}

for (const [what, days] of /** @type {const} */ ([["ahead", 1], ["behind", -1]])) {
  test(`a clock that is a day ${what} signs with the server's time`, { timeout }, async (t) => {
    const stage = await ready(t, {
      changeServer(request, reply) {
        if (!/\.js$/.test(request.url ?? "")) return undefined;
        return { ...reply, body: `${shiftClock(days * 86_400_000)}\n${reply.body}` };
      },
    });
    assert.ok(Math.abs((await stage.page.evaluate(() => Date.now())) - Date.now() - days * 86_400_000) < 3_600_000, "the page's clock is not off");
    await begin(stage.page);
    await endsWell(stage);
    assert.equal(stage.s.requests.parts().length, parts);
    // HEAD is the server's own look whether there is an object.
    assert.deepEqual(stage.s.requests.entries.filter((e) => e.status >= 400 && e.what !== "HEAD"), [], "the store refused a signature");
  });
}

/**
 * Code that puts a clock off, in a page or a worker, once.
 *
 * @param {number} ms
 */
function shiftClock(ms) {
  return `if (!globalThis.shifted) {
    globalThis.shifted = true;
    const now = Date.now, origin = performance.timeOrigin;
    globalThis.Date = class extends Date {
      constructor(...a) { if (a.length) super(...a); else super(now() + ${ms}); }
      static now() { return now() + ${ms}; }
    };
    Object.defineProperty(performance, "timeOrigin", { value: origin + ${ms} });
  }`;
}

/**
 * What a request was for, as S3 calls it; also where the server made it for the page.
 *
 * @param {import("node:http").IncomingMessage} request
 * @param {{ body: string }} reply
 */
function nameOf({ method, url = "" }, { body }) {
  const { pathname, searchParams } = new URL(url, "http://x");
  if (pathname === "/v1/uploads/multipart") return body.startsWith('{"uploadId"') ? "CreateMultipartUpload" : body.startsWith('{"etag"') ? "CompleteMultipartUpload" : pathname;
  if (method === "POST" && searchParams.has("uploads")) return "CreateMultipartUpload";
  if (method === "POST" && searchParams.has("uploadId")) return "CompleteMultipartUpload";
  if (method === "PUT" && searchParams.has("partNumber")) return "UploadPart";
  return pathname;
}
