import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { destination, gate, giveFiles, inWorkers, openDemo, orphanParts, presigned, randomFile, sha256, stage } from "./harness.js";

const MiB = 1 << 20;

/**
 * A stage whose page is on the gate's origin.
 *
 * @param {import("node:test").TestContext} t
 * @param {Parameters<typeof gate>[1]} look
 */
async function gated(t, look) {
  const front = await gate(t, look);
  const s = await stage(t, { serverArgs: ["-origin", front.origin] });
  front.to(s.url);
  return { ...s, url: front.origin };
}

test("the token function is asked once for all the calls that wait for it", async (t) => {
  let calls = 0;
  const s = await gated(t, ({ method, headers }) => {
    if (method !== "POST") return undefined;
    calls++;
    return headers.authorization === "Bearer let me in" ? undefined : 401;
  });
  const files = [];
  for (let i = 0; i < 40; i++) files.push(await randomFile(s.tmp, `small-${i}.bin`, 1 + i));
  const page = await openDemo(s);
  await giveFiles(page, ...files.map((f) => f.path));
  const { asked, most } = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    let asked = 0, now = 0, most = 0;
    const token = async () => {
      asked++;
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 50));
      now--;
      return "let me in";
    };
    // Two uploaders with the same function share its answers too.
    const [a, b] = [new Uploader({ destination, token }), new Uploader({ destination, token })];
    await Promise.all(/** @type {any} */ (window).files.map((/** @type {File} */ f, /** @type {number} */ i) => (i % 2 ? a : b).upload(f).result));
    return { asked, most };
  });
  assert.equal(most, 1, "the function was asked again before it had answered");
  assert.ok(calls >= 80 && asked < calls, `asked ${asked} times for ${calls} calls`);
});

test("a user who is signed out: the upload waits as needs-auth, and goes on after reauthenticate()", async (t) => {
  let token = "first";
  let signOut = () => {};
  const signedOut = new Promise((resolve) => {
    signOut = () => {
      token = "second";
      resolve(undefined);
    };
  });
  const s = await gated(t, async ({ method, headers, url }) => {
    if (method !== "POST") return undefined;
    // However fast the upload is, it has not ended before that.
    if (url === "/v1/uploads/complete") await signedOut;
    return headers.authorization === `Bearer ${token}` ? undefined : 401;
  });
  const file = await randomFile(s.tmp, "film.bin", 32 * MiB);
  const page = await openDemo(s);
  await page.exposeFunction("signOut", () => signOut());
  await giveFiles(page, file.path);
  const { key, states, trouble, kept } = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    let token = "first";
    const uploader = new Uploader({ destination, partSize: 5 << 20, token: () => token });
    const upload = uploader.upload(/** @type {any} */ (window).files[0]);
    /** @type {string[]} */
    const states = [];
    let out = false, kept = 0;
    /** @type {any} */
    let trouble;
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone < 3 || out) return;
      out = true;
      void /** @type {any} */ (window).signOut();
    });
    upload.addEventListener("state", () => {
      states.push(upload.state);
      if (upload.state !== "needs-auth") return;
      trouble = upload.progress.trouble;
      kept = upload.progress.confirmed;
      token = "second"; // the user has signed in again
      uploader.reauthenticate();
    });
    return { key: (await upload.result).key, states, trouble, kept };
  });
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.ok(states.includes("needs-auth"), states.join(" "));
  assert.equal(trouble?.code, "unauthenticated");
  // Where the server signs it is asked for parts, and else when all are sent.
  assert.ok(kept >= (presigned ? 15 * MiB : file.size), `what the store had confirmed is kept: ${kept}`);
});

test("what is tried again is said in the progress, with when", async (t) => {
  let refusals = 0;
  const s = await gated(t, ({ url }) => (url === "/v1/uploads/complete" && ++refusals <= 2 ? 503 : undefined));
  const file = await randomFile(s.tmp, "film.bin", 16 * MiB);
  const page = await openDemo(s);
  await giveFiles(page, file.path);
  const { troubles, after, counts } = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const upload = new Uploader({ destination, partSize: 5 << 20 }).upload(/** @type {any} */ (window).files[0]);
    /** @type {{ code: string, ahead: number }[]} */
    const troubles = [];
    let counts = 0;
    upload.addEventListener("progress", () => {
      const { trouble, hashing, sending, waiting } = upload.progress;
      counts = Math.max(counts, hashing + sending + waiting);
      if (trouble?.retryAt) troubles.push({ code: trouble.code, ahead: trouble.retryAt - Date.now() });
    });
    await upload.result;
    return { troubles, after: upload.progress.trouble ?? null, counts };
  });
  assert.ok(troubles.length > 0, "nothing was said");
  assert.ok(troubles.every(({ code, ahead }) => code === "internal" && ahead < 60_000 && ahead > -60_000), JSON.stringify(troubles));
  assert.equal(after, null, "trouble that is over is still said");
  assert.ok(counts > 0);
});

test("a token function that throws is the error's cause", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const said = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const token = () => {
      throw new RangeError("no session");
    };
    const uploader = new Uploader({ destination, token });
    const e = await uploader.upload(new File(["x"], "x")).result.catch((/** @type {any} */ e) => e);
    return { name: e.name, code: e.code, cause: String(e.cause) };
  });
  assert.deepEqual(said, { name: "UploadError", code: "token_failed", cause: "RangeError: no session" });
});

test("pauseAll, resumeAll and cancelAll move an uploader's uploads and no other's", async (t) => {
  const s = await stage(t);
  const files = [];
  for (let i = 0; i < 3; i++) files.push(await randomFile(s.tmp, `film-${i}.bin`, 48 * MiB));
  const page = await openDemo(s);
  await giveFiles(page, ...files.map((f) => f.path));
  const { keys, codes } = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const { files } = /** @type {any} */ (window);
    const [ours, theirs] = [new Uploader({ destination, partSize: 5 << 20 }), new Uploader({ destination, partSize: 5 << 20 })];
    const all = [ours.upload(files[0]), ours.upload(files[1])];
    ours.pauseAll();
    const other = theirs.upload(files[2]);
    const until = (/** @type {any} */ u, /** @type {string} */ state) => new Promise((resolve) => {
      const look = () => u.state === state && resolve(undefined);
      u.addEventListener("state", look);
      look();
    });
    await Promise.all(all.map((u) => until(u, "paused")));
    const keys = [(await other.result).key]; // it was not paused
    ours.resumeAll();
    keys.push(...(await Promise.all(all.map((u) => u.result))).map((o) => o.key));
    const again = files.map((/** @type {File} */ f) => ours.upload(f));
    await Promise.race(again.map((/** @type {any} */ u) => until(u, "uploading")));
    ours.cancelAll();
    const codes = await Promise.all(again.map((/** @type {any} */ u) => u.result.catch((/** @type {any} */ e) => e.code)));
    return { keys, codes };
  });
  for (const [i, file] of [files[2], files[0], files[1]].entries()) assert.equal(await sha256(join(s.data, "demo", keys[i])), file?.sha256);
  assert.deepEqual(codes, ["cancelled", "cancelled", "cancelled"]);
  assert.deepEqual(await orphanParts(s.data), []);
});

test("a signal that is aborted already, and one that is later: its reason, nothing begun, and what is there kept", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const said = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination });
    const reason = (/** @type {AbortSignal} */ signal) => uploader.upload(new File(["x"], "x"), { signal }).result.catch((/** @type {any} */ e) => e);
    return [await reason(AbortSignal.abort("never")), (await reason(AbortSignal.abort())).name, (await uploader.pending()).length];
  });
  assert.deepEqual(said, ["never", "AbortError", 0]);
});

test("a clock that is set in the middle is noticed: credentials are renewed and the upload ends well", async (t) => {
  let renewals = 0;
  const s = await gated(t, ({ url }) => void (url === "/v1/uploads/credentials" && renewals++));
  const file = await randomFile(s.tmp, "film.bin", 160 * MiB);
  const page = await s.browser.newPage();
  await inWorkers(page, () => {
    const { now } = Date;
    let off = 0;
    Date.now = () => now() + off;
    new BroadcastChannel("clock").onmessage = ({ data }) => (off = data);
  });
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  const key = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const clock = new BroadcastChannel("clock");
    const upload = new Uploader({ destination, partSize: 5 << 20 }).upload(/** @type {any} */ (window).files[0]);
    upload.addEventListener("progress", () => {
      if (upload.progress.partsDone >= 5) clock.postMessage(-86_400_000);
    });
    return (await upload.result).key;
  });
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.equal(renewals, presigned ? 0 : 1);
});

test("a store that hides its ETags from the page: warned of with the CORS to set, where the page needs them, and the upload ends well", async (t) => {
  const s = await stage(t);
  const file = await randomFile(s.tmp, "film.bin", 64 * MiB);
  const page = await s.browser.newPage();
  // To a page, a header that the store does not expose is not there.
  await inWorkers(page, () => {
    const { getResponseHeader } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.getResponseHeader = function (name) {
      return name === "ETag" ? null : getResponseHeader.call(this, name);
    };
  });
  await openDemo(s, { page });
  await giveFiles(page, file.path);
  const { key, ours, theirs } = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const [uploader, other] = [new Uploader({ destination, partSize: 5 << 20 }), new Uploader({ destination })];
    /** @type {any[]} */
    const ours = [], /** @type {any[]} */ theirs = [];
    uploader.addEventListener("warning", (/** @type {any} */ e) => ours.push(e.detail));
    other.addEventListener("warning", (/** @type {any} */ e) => theirs.push(e.detail));
    return { key: (await uploader.upload(/** @type {any} */ (window).files[0]).result).key, ours, theirs };
  });
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
  assert.deepEqual([ours.map((w) => w.code), theirs], [presigned ? [] : ["etag_not_exposed"], []]);
  if (!presigned) assert.match(ours[0].message, /"ExposeHeaders":/);
});

test("maxBytesPerSecond bounds what all uploads send", async (t) => {
  const s = await stage(t);
  const files = [await randomFile(s.tmp, "a.bin", 20 * MiB), await randomFile(s.tmp, "b.bin", 20 * MiB)];
  const page = await openDemo(s);
  await giveFiles(page, ...files.map((f) => f.path));
  const seconds = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const uploader = new Uploader({ destination, partSize: 5 << 20, maxBytesPerSecond: 10 << 20 });
    const begun = performance.now();
    await Promise.all(/** @type {any} */ (window).files.map((/** @type {File} */ f) => uploader.upload(f).result));
    return (performance.now() - begun) / 1000;
  });
  // 40 MiB at 10 MiB/s: however fast the machine, the last of eight parts begins no sooner.
  assert.ok(seconds >= 3, `${seconds} s`);
});

test("limits that make no sense are refused with the field, the value and the fix", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const messages = await page.evaluate(async () => {
    const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    return [{ maxBytesPerSecond: 0 }, { maxBytesPerSecond: 1.5 }, { stallTimeout: 0 }, { stallTimeout: NaN }].map((options) => {
      try {
        new Uploader({ destination, ...options });
        return "taken";
      } catch (e) {
        return /** @type {Error} */ (e).message;
      }
    });
  });
  assert.match(messages[0] ?? "", /^maxBytesPerSecond: 0; give whole bytes a second/);
  assert.match(messages[1] ?? "", /^maxBytesPerSecond: 1.5; give/);
  assert.match(messages[2] ?? "", /^stallTimeout: 0; give 1 to 3600 seconds/);
  assert.match(messages[3] ?? "", /^stallTimeout: NaN; give/);
});

test("the demo page says what is tried again, and asks to sign in", async (t) => {
  let mode = "";
  const s = await gated(t, ({ url, method }) => {
    if (method !== "POST") return undefined;
    return mode === "busy" ? 503 : mode === "signed out" && url !== `/v1/destinations/${destination}/uploads` ? 401 : undefined;
  });
  const file = await randomFile(s.tmp, "film.bin", 16 * MiB);
  const page = await openDemo(s);
  mode = "busy";
  await /** @type {any} */ (await page.waitForSelector("#files")).uploadFile(file.path);
  await page.waitForFunction(() => /^The server has trouble, trying again/.test(document.querySelector("[data-trouble] .pace")?.textContent ?? ""));
  mode = "signed out";
  await page.waitForSelector('[data-upload][data-state="needs-auth"]', { timeout: 120_000 });
  mode = "";
  await page.click('[data-action="reauthenticate"]');
  await page.waitForSelector('[data-upload][data-state="done"]');
  assert.equal(await page.$("[data-trouble]"), null);
});
