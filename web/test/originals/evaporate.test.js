// EvaporateJS's own tests, from a checkout: none is forgotten, and docs/migrate.md counts them right.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { randomFile, stage } from "../harness.js";
import { arrived, choose, evaporatePage, upload } from "../widget.js";
import { entries, entryOf } from "./classified.js";
import { checkout } from "./site.js";

for (const signer of /** @type {const} */ (["view", "signerUrl"])) {
  test(`the checkout's evaporate.js uploads, signed by its ${signer}`, async (t) => {
    const s = await stage(t);
    const page = await evaporatePage(s);
    await page.addScriptTag({ path: join(checkout("EVAPORATE", "evaporate.js"), "evaporate.js") });
    const file = await randomFile(s.tmp, "näme (1)'!.bin", 60e6);
    await choose(page, file.path);
    await arrived(s, await upload(page, signer), file);
  });
}

test("each of EvaporateJS's own tests is met by one of ours, or has a row in docs/migrate.md that says why not", async (t) => {
  const path = join(checkout("EVAPORATE", "evaporate.js"), "test");
  const names = [];
  for (const file of await readdir(path)) {
    if (!file.endsWith(".spec.js")) continue;
    const source = await readFile(join(path, file), "utf8");
    for (const m of source.matchAll(/^test(?:\.serial)?\('((?:[^'\\]|\\.)*)'/gm)) names.push(`${file.replace(".spec.js", "")}: ${m[1]}`);
  }
  assert.equal(names.length, 249);
  assert.deepEqual(names.filter((name) => !entryOf(name)), []);
  const unused = new Set(entries);
  /** @type {Record<string, number>} */
  const counts = {};
  let met = 0;
  for (const name of names) {
    const entry = /** @type {import("./classified.js").Entry} */ (entryOf(name));
    unused.delete(entry);
    if ("row" in entry) counts[entry.row] = (counts[entry.row] ?? 0) + 1;
    else met++;
  }
  assert.deepEqual([...unused], []);
  const page = await readFile(new URL("../../../docs/migrate.md", import.meta.url), "utf8");
  const [, table = ""] = /\n## EvaporateJS's own tests\n(.*?)(?=\n##? |$)/s.exec(page) ?? [];
  const rows = Object.fromEntries([...table.matchAll(/^\| ([^|]+) \| (\d+) \|/gm)].map((m) => [m[1], Number(m[2])]));
  assert.deepEqual(rows, counts);
  assert.match(table, new RegExp(`249 tests .* ${met} are met`));
  t.diagnostic(`${met} are met by tests of ours, ${249 - met} have a row`);
});
