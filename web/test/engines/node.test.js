// A page's upload to an engine that loses a node in the middle, at a server that
// runs by configuration. scripts/engine starts the engine and ends its nodes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { giveFiles, openDemo, randomFile } from "../harness.js";
import { ceph, engineStage, env, node, sha256At } from "./engine.js";

const MiB = 1 << 20;

const signing = ceph ? "presigned" : "session";
const nodes = Number(env("CHUNKSIGN_ENGINE_NODES"));

for (const { name, which, back } of [
  { name: "a node that others stand in for", which: nodes - 1, back: false },
  { name: "the node that the page speaks to, which comes back", which: 0, back: true },
]) {
  if (which === 0 && !back) continue; // there is no other
  test(`an upload goes on without ${name}`, async (t) => {
    const { tmp, url, browser } = await engineStage(t, { kill: { key: "page/{uuid}/{filename}", read: "owner", signing } });
    const file = await randomFile(tmp, "film.bin", 512 * MiB);
    const page = await openDemo({ url, browser });
    await giveFiles(page, file.path);
    await page.evaluate(async () => {
      const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      const w = /** @type {any} */ (window);
      w.upload = new Uploader({ destination: "kill", partSize: 5 << 20 }).upload(w.files[0]);
      w.upload.result.catch(() => {}); // it is asked for below
      await new Promise((resolve) =>
        w.upload.addEventListener("progress", () => {
          if (w.upload.progress.partsDone >= 8) resolve(undefined);
        }),
      );
    });
    await node("kill", which);
    const partsDone = await page.evaluate(() => /** @type {any} */ (window).upload.progress.partsDone);
    if (back) await node("start", which);
    const object = await page.evaluate(() => /** @type {any} */ (window).upload.result);
    if (!back) await node("start", which);
    assert.ok(partsDone < 103, `${partsDone} of 103 parts were there`);
    t.diagnostic(`killed with ${partsDone} of 103 parts there`);
    assert.equal(await sha256At(object.url), file.sha256);
  });
}

test("files of one request and of none at all", async (t) => {
  const { tmp, url, browser } = await engineStage(t, { small: { key: "page/{uuid}/{filename}", read: "owner", signing, tags: { team: "a b" } } });
  const page = await openDemo({ url, browser });
  for (const size of [100_000, 0]) {
    const file = await randomFile(tmp, `${size}.bin`, size);
    await giveFiles(page, file.path);
    const object = await page.evaluate(async () => {
      const { Uploader } = await import(/** @type {string} */ ("/chunksign/chunksign.js"));
      const { files } = /** @type {any} */ (window);
      return new Uploader({ destination: "small" }).upload(files[0]).result;
    });
    assert.equal(await sha256At(object.url), file.sha256);
  }
});
