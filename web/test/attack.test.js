import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { browserName, giveFiles, openDemo, randomFile, sha256, stage, until } from "./harness.js";

const ask = async (/** @type {string} */ url) => {
  const result = async (/** @type {RequestInit} */ init) => {
    try {
      const r = await fetch(url, init);
      return `${r.type} ${r.status} ${await r.text()}`;
    } catch (e) {
      return `blocked: ${/** @type {Error} */ (e).name}`;
    }
  };
  const body = JSON.stringify({ name: "x", type: "text/plain", size: 1 });
  return [
    await result({ method: "POST", headers: { "Content-Type": "application/json" }, body }),
    // No preflight: what a form could send.
    await result({ method: "POST", headers: { "Content-Type": "text/plain" }, body }),
    await result({ method: "POST", mode: "no-cors", body }),
  ];
};

test("a page of another origin gets no credentials from the dev server", async (t) => {
  const s = await stage(t);
  const elsewhere = createServer((_, r) => r.setHeader("Content-Type", "text/html").end("<h1>elsewhere</h1>"));
  elsewhere.listen(0, "127.0.0.1");
  t.after(() => elsewhere.close());
  await once(elsewhere, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (elsewhere.address());
  const page = await s.browser.newPage();
  for (const host of ["127.0.0.1", "localhost"]) {
    await page.goto(`http://${host}:${port}/`);
    for (const answer of await page.evaluate(ask, new URL("/v1/destinations/demo/uploads", s.url).href)) {
      assert.match(answer, /^(blocked|opaque)/);
      assert.doesNotMatch(answer, /secretAccessKey/);
    }
  }
  // The same request from the demo page does get them: it is the origin that was refused.
  const own = await openDemo(s);
  assert.match((await own.evaluate(ask, new URL("/v1/destinations/demo/uploads", s.url).href))[0] ?? "", /secretAccessKey/);
});

test("what a page of another origin embeds makes no grant", async (t) => {
  const s = await stage(t);
  const elsewhere = createServer((_, r) => r.setHeader("Content-Type", "text/html").end("<h1>elsewhere</h1>"));
  elsewhere.listen(0, "127.0.0.1");
  t.after(() => elsewhere.close());
  await once(elsewhere, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (elsewhere.address());
  const asked = new URL("/evaporate/sign", s.url);
  const file = { name: "x", type: "text/plain", size: 1, key: "" };
  asked.search = String(new URLSearchParams({ to_sign: `CHUNKSIGN-GRANT\n${JSON.stringify(file)}`, datetime: "x", dest: "demo-s3direct" }));
  const refused = () => s.log().match(/path=\/evaporate\/sign status=403/g)?.length ?? 0;
  const page = await s.browser.newPage();
  let times = 0;
  for (const host of ["127.0.0.1", "localhost"]) {
    await page.goto(`http://${host}:${port}/`);
    for (const name of ["img", "script", "iframe", "audio"]) {
      await page.evaluate((name, src) => document.body.append(Object.assign(document.createElement(name), { src })), name, asked.href);
      await until(`the ${name} is refused`, async () => refused() > times);
      times = refused();
    }
  }
  assert.doesNotMatch(s.log(), /path=\/evaporate\/sign status=200/);
  const own = await openDemo(s);
  const [status, grant] = await own.evaluate(async (url) => {
    const reply = await fetch(url);
    return /** @type {const} */ ([reply.status, await reply.text()]);
  }, asked.href);
  assert.deepEqual([status, grant.split(".").length], [200, 3]);
});

// Firefox has no switch that makes a name resolve to loopback.
if (browserName === "chrome") {
  test("a name that rebinds to 127.0.0.1 gets no page and no credentials", async (t) => {
    const s = await stage(t, { browserArgs: ["--host-resolver-rules=MAP rebind.test 127.0.0.1"] });
    const { port } = new URL(s.url);
    const page = await s.browser.newPage();
    await page.goto(`http://rebind.test:${port}/`);
    const status = await page.evaluate(() => /** @type {PerformanceNavigationTiming} */ (performance.getEntriesByType("navigation")[0]).responseStatus);
    assert.ok(status >= 400, `the page answered ${status}`);
    for (const answer of await page.evaluate(ask, `http://rebind.test:${port}/v1/destinations/demo/uploads`)) {
      assert.doesNotMatch(answer, /secretAccessKey/);
      assert.doesNotMatch(answer, /^basic 20/);
    }
  });
}

test("a page of a listed origin loads the library from the server and uploads", async (t) => {
  const elsewhere = createServer((_, r) => r.setHeader("Content-Type", "text/html").end("<h1>the application</h1>"));
  elsewhere.listen(0, "127.0.0.1");
  t.after(() => elsewhere.close());
  await once(elsewhere, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (elsewhere.address());
  const s = await stage(t, { serverArgs: ["-origin", `http://127.0.0.1:${port}`] });
  const file = await randomFile(s.tmp, "from elsewhere.bin", (20 << 20) + 1);
  const page = await s.browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  await giveFiles(page, file.path);
  const key = await page.evaluate(async (endpoint) => {
    const { Uploader } = await import(/** @type {string} */ (`${endpoint}chunksign/chunksign.js`));
    const { result } = new Uploader({ endpoint, destination: "demo" }).upload(/** @type {any} */ (window).files[0]);
    return (await result).key;
  }, s.url);
  assert.equal(await sha256(join(s.data, "demo", key)), file.sha256);
});
