import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openDemo, randomFile, sha256, stage } from "./harness.js";

/**
 * Asks the server for a grant, as a developer without our Uploader would.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string} name
 * @param {number} size
 */
function grant(page, name, size) {
  return page.evaluate(
    async (name, size) => {
      const response = await fetch("/v1/destinations/demo/uploads", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ name, type: "application/octet-stream", size }),
      });
      return response.json();
    },
    name,
    size,
  );
}

test("signChunk and sign carry a multipart upload by hand", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const file = await randomFile(s.tmp, "by hand.bin", (5 << 20) + 77);
  const g = await grant(page, file.name, file.size);
  const { readFile } = await import("node:fs/promises");
  const base64 = (await readFile(file.path)).toString("base64");

  const steps = await page.evaluate(
    async (g, base64) => {
      const { createSigner } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const { endpoint, bucket, key, region, headers } = g.upload;
      const signer = await createSigner({ credentials: g.credentials, endpoint, bucket, key, region });
      const object = `${endpoint}/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
      const xml = async (/** @type {Response} */ r) => new DOMParser().parseFromString(await r.text(), "text/xml");
      /** @type {(r: {url: string, method: string, headers: Record<string,string>}, body?: BodyInit) => Promise<Response>} */
      const go = (r, body) => fetch(r.url, { method: r.method, headers: r.headers, body: body ?? null });

      const created = await go(
        await signer.sign({ method: "POST", url: `${object}?uploads`, headers: { ...headers, "x-amz-checksum-algorithm": "SHA256" } }),
      );
      const uploadId = (await xml(created)).querySelector("UploadId")?.textContent ?? "";
      const statuses = [created.status];
      let parts = "";
      for (const [i, chunk] of [bytes.subarray(0, 5 << 20), bytes.subarray(5 << 20)].entries()) {
        const signed = await signer.signChunk({ uploadId, partNumber: i + 1, body: chunk });
        const put = await go(signed, chunk);
        statuses.push(put.status);
        parts += `<Part><PartNumber>${i + 1}</PartNumber><ETag>${put.headers.get("ETag")}</ETag><ChecksumSHA256>${signed.headers["x-amz-checksum-sha256"]}</ChecksumSHA256></Part>`;
      }
      const body = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
      const completed = await go(await signer.sign({ method: "POST", url: `${object}?uploadId=${encodeURIComponent(uploadId)}`, headers: { "if-none-match": "*" }, body }), body);
      statuses.push(completed.status);
      return statuses;
    },
    g,
    base64,
  );
  assert.deepEqual(steps, [200, 200, 200, 200]);
  assert.equal(await sha256(join(s.data, g.upload.bucket, g.upload.key)), file.sha256);
});

test("presign gives a URL that uploads, and only that", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const g = await grant(page, "presigned.txt", 5);
  const statuses = await page.evaluate(async (g) => {
    const { createSigner } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const { endpoint, bucket, key, region, headers } = g.upload;
    const signer = await createSigner({ credentials: g.credentials, endpoint, region });
    const url = await signer.presign({ method: "PUT", url: `${endpoint}/${bucket}/${key}`, headers }, { expiresIn: 60 });
    const put = async (/** @type {string} */ u) => (await fetch(u, { method: "PUT", headers, body: "hello" })).status;
    return [await put(url.replace("presigned", "other")), await put(url.replace(/.$/, (/** @type {string} */ c) => (c === "0" ? "1" : "0"))), await put(url)];
  }, g);
  assert.deepEqual(statuses, [403, 403, 200]);
});

test("the store refuses a wrong signature, key and bucket", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const g = await grant(page, "mine.bin", 4);
  const codes = await page.evaluate(async (g) => {
    const { createSigner } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const { endpoint, bucket, key, region, headers } = g.upload;
    /** @type {(credentials: any, path: string, method?: string) => Promise<string>} */
    const attempt = async (credentials, path, method = "PUT") => {
      const signer = await createSigner({ credentials, endpoint, region });
      const body = method === "PUT" ? "mine" : "";
      const r = await signer.sign({ method, url: `${endpoint}/${path}`, headers, body });
      const reply = await fetch(r.url, { method, headers: r.headers, body: method === "PUT" ? body : null }).catch(() => undefined);
      if (!reply) return "blocked"; // no such bucket, so no CORS rules that let the page send
      return `${reply.status} ${/<Code>(.*?)<\/Code>/.exec(await reply.text())?.[1] ?? ""}`;
    };
    const c = g.credentials;
    return {
      secret: await attempt({ ...c, secretAccessKey: "not-it" }, `${bucket}/${key}`),
      token: await attempt({ ...c, sessionToken: `${c.sessionToken.slice(0, -8)}AAAAAAAA` }, `${bucket}/${key}`),
      key: await attempt(c, `${bucket}/${key}x`),
      bucket: await attempt(c, `elsewhere/${key}`),
      read: await attempt(c, `${bucket}/${key}`, "GET"),
      remove: await attempt(c, `${bucket}/${key}`, "DELETE"),
      list: await attempt(c, `${bucket}/?list-type=2`, "GET"),
      right: await attempt(c, `${bucket}/${key}`),
    };
  }, g);
  assert.match(codes.secret, /^403 SignatureDoesNotMatch/);
  assert.match(codes.token, /^40[03] /);
  for (const what of /** @type {const} */ (["key", "read", "remove", "list"])) assert.match(codes[what], /^403 AccessDenied/, what);
  assert.equal(codes.bucket, "blocked");
  assert.equal(codes.right, "200 ");
});

test("what cannot be signed is refused with the field and the fix", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const messages = await page.evaluate(async () => {
    const { createSigner } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
    const region = "us-east-1";
    const signer = await createSigner({ credentials, region, bucket: "b", key: "k" });
    const bare = await createSigner({ credentials, region });
    const payloadHash = "0".repeat(64);
    const attempts = [
      () => createSigner({ credentials: { accessKeyId: "A" }, region }),
      () => createSigner({ credentials }),
      () => bare.signChunk({ uploadId: "u", partNumber: 1, payloadHash }),
      () => signer.signChunk({ uploadId: "", partNumber: 1, payloadHash }),
      () => signer.signChunk({ uploadId: "u", partNumber: 10_001, payloadHash }),
      () => signer.signChunk({ uploadId: "u", partNumber: 1 }),
      () => signer.signChunk({ uploadId: "u", partNumber: 1, payloadHash: "xyz" }),
      () => signer.presign({ url: "https://b/k" }, { expiresIn: 604_801 }),
      () => signer.sign({ url: "https://b/50%" }),
    ];
    const said = [];
    for (const attempt of attempts) said.push(await attempt().then(() => "signed", (/** @type {Error} */ e) => e.message));
    return said;
  });
  const fields = ["credentials.secretAccessKey", "region", "signChunk", "uploadId", "partNumber", "body or payloadHash", "payloadHash", "expiresIn", "url"];
  for (const [i, field] of fields.entries()) assert.ok(messages[i]?.startsWith(field), `${messages[i]} does not begin with ${field}`);
});

test("arguments that are wrong are refused at once, by name", async (t) => {
  const s = await stage(t);
  const page = await openDemo(s);
  const results = await page.evaluate(async () => {
    const { createSigner } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
    const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: secret };
    const good = { credentials, region: "us-east-1", bucket: "b", key: "k" };
    const signer = await createSigner(good);
    const hash = "0".repeat(64);
    const part = { uploadId: "u", partNumber: 1, payloadHash: hash };
    const request = { method: "PUT", url: "https://b.example.com/k", payloadHash: hash };
    const sly = { toString: () => "us-east-1", valueOf: () => 1 };
    /** @type {[string, () => Promise<unknown>][]} the beginning of the message, and what is refused */
    const rows = [];
    const options = (/** @type {string} */ field, /** @type {any} */ change) => rows.push([field, () => createSigner({ ...good, ...change })]);
    const key = (/** @type {string} */ field, /** @type {any} */ change) => options(`credentials.${field}`, { credentials: { ...credentials, [field]: change } });
    const chunk = (/** @type {string} */ field, /** @type {any} */ change) => rows.push([field, () => signer.signChunk({ ...part, ...change })]);
    const sign = (/** @type {string} */ field, /** @type {any} */ change) => {
      rows.push([field, () => signer.sign({ ...request, ...change })], [field, () => signer.presign({ ...request, ...change })]);
    };
    const header = (/** @type {any} */ headers) => sign("headers", { headers });

    for (const v of [undefined, null, 7, "x", []]) rows.push(["options", () => createSigner(v)]);
    options("options.keys", { keys: "k" });
    for (const v of [undefined, null, "AKID", 7]) options("credentials", { credentials: v });
    for (const field of ["accessKeyId", "secretAccessKey", "sessionToken"]) {
      for (const v of [null, 7, sly, Symbol("x"), ["AKID"], " AKID", "AKID\n", "A\tK", "A\u00a0K", "A\u0000", "ä", "\ud800"]) key(field, v);
    }
    for (const v of [undefined, ""]) (key("accessKeyId", v), key("secretAccessKey", v));
    for (const v of ["AKID/20130524", "A,B"]) key("accessKeyId", v);
    for (const v of [undefined, null, "", 7, sly, ["us-east-1"], "us/east", "us east", "us-east-1\n", "ü", "\udc00", "us.east", "us@evil"]) options("region", { region: v });
    for (const v of [null, "", 7, sly, "a/b", "x@evil", "a.b:80", "a#b", "a?b", "Media", "a..b", ".a", "a.", "-a", "a_b", "a b", "a\n", "ä", "\ud800", "..", "a\\b", "a%2fb", "b".repeat(64)]) {
      options("bucket", { bucket: v });
    }
    for (const v of [null, "", 7, sly, ".", "..", "a/../b", "../b", "a/..", "a/./b", "./a", "a/.", "k".repeat(1025), "ä".repeat(513), "a\ud800", "\udc00\ud800"]) options("key", { key: v });
    for (const v of [
      null, "", 7, sly, "s3.example.com", "//s3.example.com", "ftp://s3.example.com", "https://u:p@s3.example.com", "https://s3.example.com?x=1", "https://s3.example.com?",
      "https://s3.example.com/#a", "https://s3.example.com#", "https://s3.example.com/a/../b", "https://s3.example.com/%2e%2E/b", " https://s3.example.com", "https://s3.exa\tmple.com",
      "https:\\\\s3.example.com", "https://s3.example.com/%zz", "https://", "https://a b", "https://s3.example.com:99999",
    ]) options("endpoint", { endpoint: v });
    for (const v of [null, "", "Path", true]) options("addressing", { addressing: v });
    for (const v of [null, 0, "now"]) options("now", { now: v });
    for (const v of [null, "", 7, "http://a b"]) options("wasmURL", { wasmURL: v === "" ? "http://" : v });
    for (const v of [undefined, null, "0", NaN, Infinity, -1, 253_402_300_800_000, 1n, new Date()]) {
      rows.push(["now", async () => (await createSigner({ ...good, now: () => v })).signChunk(part)]);
    }

    for (const v of [undefined, null, "u", []]) rows.push(["chunk", () => signer.signChunk(v)]);
    chunk("chunk.partnumber", { partnumber: 1 });
    for (const v of [undefined, null, "", 7, sly, "u v", "u\n", "ü", "..", "../../x", "a/../b", "a/.", "a\\b", "\ud800", "u".repeat(1025)]) chunk("uploadId", { uploadId: v });
    for (const v of [undefined, null, "1", 0, -1, 1.5, NaN, Infinity, 10_001, 2 ** 32 + 1, 1n, true, sly, Symbol("1"), [1]]) chunk("partNumber", { partNumber: v });
    for (const v of [null, "", "xyz", "0".repeat(63), `${"0".repeat(64)}\n`, 7, [0], new Uint8Array(31), new Uint8Array(33), new Uint16Array(32), new ArrayBuffer(32)]) chunk("payloadHash", { payloadHash: v });
    chunk("payloadHash", { body: "x" });
    for (const v of [null, 7, {}, [1, 2], sly, Symbol("x"), new URLSearchParams("a=b"), "\ud800"]) chunk("body", { payloadHash: undefined, body: v });
    chunk("body or payloadHash", { payloadHash: undefined });

    for (const v of [undefined, null, "u"]) rows.push(["request", () => signer.sign(v)], ["request", () => signer.presign(v)]);
    sign("request.header", { header: {} });
    for (const v of [null, "", "put", "PUT ", "P\nT", 7, sly]) sign("method", { method: v });
    for (const v of [
      undefined, null, 7, sly, "ftp://b/k", "javascript:1", "https://u@b/k", "https://u:p@b/k", "https://b/k#f", "https://b/k#", "https://b/a/../k", "https://b/a/%2e%2e/k", "https://b/a%2F..%2Fk",
      "https://b/./k", "https://b/a/..?x=1", "https://b/a\\k", "https://b/a\tk", "https://b/k\n", " https://b/k", "https://b/50%", "https://b/%ff", "https://b/k?a=%ff", "https://b/k?a=%", "https://b/\ud800",
      "https://b/k?a=\ud800", "https://b/k?a=%09", "https://b/k?%00=1", "https://b/k?X-Amz-Date=20260101T000000Z", "https://b/k?x-amz-signature=0", "http://", new URL("https://u@b/k"), new URL("https://b/a%2F..%2Fk"),
    ]) sign("url", { url: v });
    for (const v of [null, 7, "a: b", [["a", "b"]], new Headers({ a: "b" }), new Map([["a", "b"]]), new Date()]) header(v);
    for (const v of ["a\tb", "a\u00a0b", "a\u2003b", "a\u0085b", "a\u3000b", "\ufeffa", "a\r\nx-evil: 1", "a\nb", "a\u0000b", "a\u007fb", "ä", "😀", "\ud800", "\ta", "a\v", null, undefined, 7, sly, ["a"], Symbol("a")]) {
      header({ "x-amz-meta-a": v });
    }
    for (const name of ["", " a", "a ", "a b", "a:b", "a\nb", "a\u0000", "ä", "a,b", "a/b", "(a)", "a\"", "host", "Host", "\ud800"]) header({ [name]: "v" });
    header({ "X-Amz-Meta-A": "1", "x-amz-meta-a": "2" });
    for (const name of ["authorization", "x-amz-date", "X-Amz-Content-SHA256", "x-amz-security-token"]) rows.push(["headers", () => signer.sign({ ...request, headers: { [name]: "v" } })]);
    for (const v of [null, "", 7, "xyz", "A".repeat(64), "0".repeat(63), "unsigned-payload", new Uint8Array(32), sly]) sign("payloadHash", { payloadHash: v });
    sign("payloadHash", { body: "x" });
    for (const v of [null, 7, {}, [1], sly, "\udfff"]) sign("body", { payloadHash: undefined, body: v });
    for (const v of [null, "60", 0, -1, 1.5, 604_801, NaN, Infinity, 2 ** 32 + 1, 1n, sly, Symbol("1")]) rows.push(["expiresIn", () => signer.presign(request, { expiresIn: v })]);
    for (const v of [null, 60, "60"]) rows.push(["options", () => signer.presign(request, v)]);
    rows.push(["options.expires", () => signer.presign(request, { expires: 60 })]);

    const wrong = [];
    for (const [i, [field, refused]] of rows.entries()) {
      const message = await refused().then((/** @type {unknown} */ v) => `accepted, ${typeof v}`, (/** @type {Error} */ e) => `${e.name}: ${e.message}`);
      const named = new RegExp(`^TypeError: ${field.replace(/\./g, "\\.")}[.:]`).test(message) && message.includes(";");
      if (!named || message.includes("wJalr") || /\bAKID\b/.test(message)) wrong.push(`${i} ${field}: ${message}`);
    }
    // What is right goes on being signed.
    const right = [
      () => createSigner({ ...good, credentials: { ...credentials, sessionToken: "", expiration: "2026-01-01T00:00:00Z" } }),
      () => createSigner({ ...good, endpoint: "HTTP://127.0.0.1:9000/base/", key: "a b/ä.b/..c/...", bucket: "a-b.c1" }),
      () => signer.signChunk({ ...part, uploadId: "2~abc._-/+=", payloadHash: new Uint8Array(32) }),
      () => signer.signChunk({ uploadId: "u", partNumber: 10_000, body: new Uint16Array(4) }),
      () => signer.sign({ url: new URL("https://b.example.com/a%20b//c?list-type=2&prefix=%C3%A4+b") }),
      () => signer.sign({ url: "https://b.example.com/k", headers: { "content-type": "text/plain;  charset=utf-8", "x-amz-meta-empty": "" }, body: new Blob(["x"]) }),
      () => signer.presign({ method: "PUT", url: "https://b.example.com/k", payloadHash: "UNSIGNED-PAYLOAD", headers: { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } }, { expiresIn: 604_800 }),
    ];
    for (const [i, f] of right.entries()) await f().catch((/** @type {Error} */ e) => wrong.push(`right ${i}: ${e.message}`));
    return { count: rows.length, wrong };
  });
  assert.deepEqual(results.wrong, []);
  assert.ok(results.count > 300, `${results.count} rows`);
});
