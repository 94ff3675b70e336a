// The real EvaporateJS 2.1.4, unchanged, as pages in use have it, and the shim beside it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { orphanParts, randomFile, stage, startServer } from "./harness.js";
import { arrived, changeImport, choose, compared, evaporatePage, first, moveOver, names, twoReplicas, upload } from "./widget.js";

test("django-s3direct's widget uploads; with its import changed the callbacks are the same, in the same order", async (t) => {
  const s = await stage(t);
  const page = await evaporatePage(s);
  const file = await randomFile(s.tmp, "näme (1)'!.bin", compared);
  const { theirs, ours } = await moveOver(t, s, page, file);
  assert.deepEqual([ours.calls[0], ours.calls.at(-1)?.[0], ours.calls.at(-1)?.[1]], [theirs.calls[0], "progress", 1]);
  // complete: the reply, the encoded key, the numbers.
  const [, reply, key, stats] = first(ours, "complete");
  const uuid = (/** @type {string} */ key) => key.split("/")[2] ?? "";
  assert.equal(key, first(theirs, "complete")[2].replace(uuid(theirs.key), uuid(ours.key)));
  assert.match(reply.responseText, /<ETag>&quot;[0-9a-f]{32}-\d+&quot;<\/ETag>/);
  assert.deepEqual(Object.keys(stats).sort(), Object.keys(first(theirs, "complete")[3]).sort());
  assert.deepEqual([stats.totalUploaded, stats.remainingSize, stats.fileSize], [file.size, 0, file.size]);
  for (const secret of [ours.params.session_token, "CHUNKSIGN-GRANT"]) assert.ok(!s.log().includes(secret), `the log holds ${secret}`);
});

test("EvaporateJS uploads, signed by its signerUrl with the page's session", async (t) => {
  const s = await stage(t);
  const page = await evaporatePage(s);
  const file = await randomFile(s.tmp, "näme (1).bin", 45e6);
  await choose(page, file.path);
  await arrived(s, await upload(page, "signerUrl"), file);
});

for (const cancels of [false, true]) {
  test(`EvaporateJS uploads, signed by its grant's session${cancels ? ", with headers by which it could cancel" : ""}`, async (t) => {
    const s = await stage(t);
    const page = await evaporatePage(s);
    const file = await randomFile(s.tmp, "film (1).bin", 45e6);
    await choose(page, file.path);
    const done = await upload(page, "grant", { cancels });
    await arrived(s, done, file);
    assert.deepEqual(names(done.calls, "progress", "info"), ["started", "uploadInitiated", "complete"]);
    for (const secret of [done.params.grant, done.params.session, done.params.token]) assert.ok(secret && !s.log().includes(secret), "the log holds the grant or its session");
  });
}

test("EvaporateJS cancels an upload of its grant, and the store drops the parts", async (t) => {
  const s = await stage(t);
  const page = await evaporatePage(s);
  await choose(page, (await randomFile(s.tmp, "film.bin", 45e6)).path);
  await page.evaluate(() => {
    const w = /** @type {any} */ (window);
    w.onCall = (/** @type {string} */ name) => {
      if (name === "uploadInitiated") w.cancelling = w.evaporate.cancel();
    };
  });
  const done = await upload(page, "grant", { cancels: true });
  assert.match(done.refused, /abort/i);
  await page.evaluate(() => /** @type {any} */ (window).cancelling);
  assert.deepEqual(names(done.calls, "progress", "info"), ["started", "uploadInitiated", "cancelled"]);
  assert.deepEqual(await orphanParts(s.data), []);
});

test("without If-None-Match EvaporateJS is refused the last request", async (t) => {
  const s = await stage(t);
  const page = await evaporatePage(s);
  await choose(page, (await randomFile(s.tmp, "a.bin", 100)).path);
  const done = await upload(page, "grant", { cancels: true, withoutCondition: true });
  assert.match(done.refused, /Permission denied status:403/);
});

test("two replicas serve both: one signs and looks at the object, the other does the rest", async (t) => {
  const { origin, urls } = await twoReplicas(t);
  const s = await stage(t, { serverArgs: ["-origin", origin] });
  const other = await startServer(["serve", "-listen", "127.0.0.1:0", "-data", s.data, "-origin", origin]);
  t.after(() => other.stop());
  urls.push(s.url, other.url);
  const page = await evaporatePage({ ...s, url: origin });
  await moveOver(t, s, page, await randomFile(s.tmp, "film.bin", 25e6));
  assert.match(other.log(), /what\W+complete/, "the second had nothing to do");
});

test("what cannot be is refused at once, in EvaporateJS's words", async (t) => {
  const s = await stage(t);
  const page = await evaporatePage(s);
  const tried = () =>
    page.evaluate(async () => {
      const { Evaporate, sha256 } = /** @type {any} */ (window);
      const why = (/** @type {Promise<unknown>} */ p) => p.then(() => "nothing", (/** @type {unknown} */ e) => e);
      const sums = { computeContentMd5: true, cryptoMd5Method: sha256, cryptoHexEncodedHash256: sha256, logging: false };
      const file = new File(["four"], "a");
      const said = [
        await why(Evaporate.create({ ...sums, bucket: "b" })),
        await why(Evaporate.create({ ...sums, signerUrl: "/x" })),
        new Evaporate({ ...sums, bucket: "b" }).supported,
      ];
      const e = await Evaporate.create({ ...sums, signerUrl: "/x", bucket: "b", maxFileSize: 3 });
      said.push(e.supported, e.localTimeOffset, await Evaporate.getLocalTimeOffset({}), e.forceRetry());
      said.push(await why(e.add()), await why(e.add({ name: "a" })), await why(e.add({ name: "a", file })), await why(e.add({ file }, { maxFileSize: 9 })));
      said.push(await why(e.cancel()), await why(e.pause()), await why(e.resume()));
      return said.map(String);
    });
  const theirs = await tried();
  await changeImport(page);
  assert.deepEqual(await tried(), theirs);
});

test("what EvaporateJS asks of another user's key the store refuses", async (t) => {
  const s = await stage(t);
  const page = await evaporatePage(s);
  const file = await randomFile(s.tmp, "a.bin", 100);
  await choose(page, file.path);
  const done = await upload(page, "view");
  const status = await page.evaluate(async (params) => {
    const { sha256 } = /** @type {any} */ (window);
    const date = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "") + "Z";
    const url = `${params.endpoint}/${params.bucket}/s3direct/somebody-else/x`;
    const scope = `${date.slice(0, 8)}/${params.region}/s3/aws4_request`;
    const signed = "host;x-amz-date;x-amz-security-token";
    const canonical = ["PUT", new URL(url).pathname, "", `host:${new URL(url).hostname}`, `x-amz-date:${date}`, `x-amz-security-token:${params.session_token}`, "", signed, "UNSIGNED-PAYLOAD"].join("\n");
    const form = new FormData();
    form.append("to_sign", encodeURIComponent(["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n")));
    form.append("datetime", date);
    form.append("dest", "demo-s3direct");
    const { s3ObjKey } = await (await fetch("/s3direct/get_aws_v4_signature/", { method: "POST", body: form })).json();
    const put = (/** @type {string} */ at) =>
      fetch(at, {
        method: "PUT",
        body: "x",
        headers: {
          Authorization: `AWS4-HMAC-SHA256 Credential=${params.access_key_id}/${scope}, SignedHeaders=${signed}, Signature=${s3ObjKey}`,
          "x-amz-date": date,
          "x-amz-security-token": params.session_token,
          "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        },
      });
    return [(await put(url)).status, s3ObjKey.length];
  }, done.params);
  assert.deepEqual(status, [403, 64]);
});
