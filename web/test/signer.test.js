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
      secret: await attempt({ ...c, secretAccessKey: "not it" }, `${bucket}/${key}`),
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
