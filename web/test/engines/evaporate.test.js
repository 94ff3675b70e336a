// The real EvaporateJS 2.1.4, unchanged, and the shim beside it, at an engine, with two replicas.

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomFile } from "../harness.js";
import { arrived, changeImport, choose, compared, evaporatePage, moveOver, twoReplicas, upload } from "../widget.js";
import { ceph, engineStage } from "./engine.js";

/**
 * @param {import("node:test").TestContext} t
 * @param {boolean} named  the store has a name of its own, at port 80
 */
async function evaporateStage(t, named) {
  const { origin, urls } = await twoReplicas(t);
  const s = await engineStage(t, { "demo-s3direct": { key: "s3direct/{user}/{uuid}/{filename}", scope: "prefix", overwrite: true, compat: ["evaporate", "s3direct"] } }, { origins: [origin], named, trusted: ceph });
  const other = await s.replica();
  urls.push(s.url, other.url);
  const page = await evaporatePage({ ...s, url: origin });
  return { s, other, page };
}

test("django-s3direct's widget uploads, and with its import changed", async (t) => {
  const { s, other, page } = await evaporateStage(t, true);
  await moveOver(t, s, page, await randomFile(s.tmp, "näme (1)'!.bin", compared));
  assert.match(other.log(), /what\W+complete/, "the second had nothing to do");
});

test("EvaporateJS uploads, signed by its grant's session, and with its import changed", async (t) => {
  const { s, page } = await evaporateStage(t, false);
  const file = await randomFile(s.tmp, "näme (1)'!.bin", compared);
  await choose(page, file.path);
  for (const who of ["EvaporateJS 2.1.4", "chunksign/evaporate"]) {
    const done = await upload(page, "grant");
    await arrived(s, done, file);
    t.diagnostic(`${compared / 1e6} MB: ${who} took ${done.seconds.toFixed(2)} s`);
    await changeImport(page);
  }
});

test("what the widget signs for a store at a port of its own is refused, and EvaporateJS repeats it", async (t) => {
  const { s, page } = await evaporateStage(t, false);
  await choose(page, (await randomFile(s.tmp, "a.bin", 100)).path);
  const { refused } = await upload(page, "view");
  // radosgw's reply has no CORS headers.
  assert.match(refused, ceph ? /initiate, *status:0$/ : /initiate.*SignatureDoesNotMatch/);
});
