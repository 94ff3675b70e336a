/** Pages that have EvaporateJS, in short: django-s3direct's widget, and one that asks for a grant itself. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { gate, openDemo } from "./harness.js";

/** Bytes of the file by which EvaporateJS and its shim are compared. */
export const compared = Number(process.env["CHUNKSIGN_EVAPORATE_MB"] ?? 60) * 1e6;

/**
 * A page with the real EvaporateJS 2.1.4 as `window.Evaporate`, unchanged, and
 * what its pages give it.
 *
 * @param {Pick<import("./harness.js").Stage, "url" | "browser">} s
 */
export async function evaporatePage(s) {
  const page = await s.browser.newPage();
  await page.setBypassCSP(true); // the scripts come from the test
  await openDemo(s, { page });
  for (const script of ["evaporate/evaporate.js", "spark-md5/spark-md5.js", "js-sha256/src/sha256.js"]) {
    await page.addScriptTag({ path: fileURLToPath(new URL(`../node_modules/${script}`, import.meta.url)) });
  }
  return page;
}

/**
 * The same page with its import changed.
 *
 * @param {import("puppeteer-core").Page} page
 */
export async function changeImport(page) {
  await page.evaluate(async () => {
    const at = "/chunksign/evaporate.js";
    /** @type {any} */ (window).Evaporate = (await import(at)).default;
  });
}

/**
 * Gives the page a file to upload.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string} path
 */
export async function choose(page, path) {
  const input = await page.evaluateHandle(() => {
    document.querySelector("#widget")?.remove();
    const input = document.createElement("input");
    input.type = "file";
    input.id = "widget";
    document.body.append(input);
    return input;
  });
  await input.uploadFile(path);
}

/**
 * What the page does with the file; it is over too with EvaporateJS's fourth warning
 * of one text, for it repeats what is refused without an end. It leaves `window.evaporate`, and tells each
 * callback to `window.onCall`, where there is one. What it gives has all of them, in
 * their order, and why `add` rejected.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {"view" | "signerUrl" | "grant"} signer
 * @param {Record<string, unknown> & { cancels?: boolean }} [more] options of Evaporate.create; with a grant, whether the
 *   headers are such that EvaporateJS can abort
 */
export function upload(page, signer, { cancels = false, ...more } = {}) {
  return page.evaluate(
    async (signer, more, cancels) => {
      const w = /** @type {any} */ (window);
      const { Evaporate, SparkMD5, sha256 } = w;
      const file = /** @type {File} */ (/** @type {HTMLInputElement} */ (document.querySelector("#widget")).files?.[0]);
      const dest = /** @type {string} */ (more["dest"] ?? "demo-s3direct");
      const json = async (/** @type {string} */ url, /** @type {RequestInit} */ init) => {
        const reply = await fetch(url, { method: "POST", ...init });
        const out = await reply.json();
        if (!reply.ok) throw new Error(out.error ?? out.detail);
        return out;
      };
      const post = (/** @type {string} */ view, /** @type {Record<string, string>} */ fields) => {
        const body = new FormData();
        for (const [name, value] of Object.entries(fields)) body.append(name, value);
        return json(`/s3direct/${view}/`, { headers: { "X-CSRFToken": "x" }, body });
      };
      /** @type {any[][]} */
      const calls = [];
      /**
       * EvaporateJS aborts with xAmzHeadersCommon, and takes it for every request
       * then; it says by `info` when only Complete is left.
       *
       * @param {Record<string, string>} token
       * @param {Record<string, (...args: any[]) => void>} callbacks
       */
      const cancelling = (token, callbacks) => {
        const common = /** @type {Record<string, string>} */ ({ ...token });
        const info = (/** @type {any[]} */ ...words) => {
          if (words[0] === "will attempt to complete upload" && !more["withoutCondition"]) common["If-None-Match"] = "*";
          callbacks["info"]?.(...words);
        };
        return { xAmzHeadersCommon: common, ...callbacks, info };
      };
      let giveUp = (/** @type {string} */ _why) => {};
      const givenUp = new Promise((_, reject) => (giveUp = reject));
      const callbacks = Object.fromEntries(
        ["started", "uploadInitiated", "progress", "complete", "cancelled", "pausing", "paused", "resumed", "nameChanged", "info", "warn", "error"].map((name) => [
          name,
          (/** @type {any[]} */ ...args) => {
            calls.push([name, ...args]);
            w.onCall?.(name, ...args);
            const said = String([name, ...args]);
            if (name === "warn" && calls.filter((call) => String(call) === said).length === 4) giveUp(said);
          },
        ]),
      );
      const common = {
        computeContentMd5: true,
        cryptoMd5Method: (/** @type {ArrayBuffer} */ data) => btoa(SparkMD5.ArrayBuffer.hash(data, true)),
        cryptoHexEncodedHash256: sha256,
        partSize: 20 * 1024 * 1024,
        logging: false,
        ...more,
      };
      const began = performance.now();
      /** @type {any} */
      let params = {};
      /** @type {any} */
      let adding;
      if (signer === "grant") {
        const grant = await json(`/v1/destinations/${dest}/uploads`, {
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ name: file.name, type: file.type, size: file.size }),
        });
        const { "content-type": contentType, ...headers } = grant.upload.headers;
        const pick = (/** @type {boolean} */ amz) => Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("x-amz-") === amz));
        // A destination that has no session for EvaporateJS has one for its shim.
        const { awsKey, headers: token, signParams } = grant.evaporate ?? { signParams: { grant: grant.grant } };
        params = { object_key: grant.upload.key, grant: grant.grant, session: signParams.session, token: token?.["x-amz-security-token"] };
        w.evaporate = await Evaporate.create({
          signerUrl: "/evaporate/sign",
          sendCanonicalRequestToSignerUrl: true,
          signParams,
          aws_key: awsKey,
          aws_url: grant.upload.endpoint,
          bucket: grant.upload.bucket,
          awsRegion: grant.upload.region,
          ...common,
        });
        adding = w.evaporate.add({
          name: grant.upload.key,
          file,
          contentType,
          xAmzHeadersAtInitiate: { ...pick(true), ...token },
          notSignedHeadersAtInitiate: pick(false),
          ...(cancels ? cancelling(token, callbacks) : { xAmzHeadersAtUpload: { ...token }, xAmzHeadersAtComplete: { ...token, "If-None-Match": "*" }, ...callbacks }),
        });
      } else {
        params = await post("get_upload_params", { dest, name: file.name, type: file.type, size: String(file.size) });
        w.evaporate = await Evaporate.create({
          ...common,
          ...(signer === "view"
            ? {
                customAuthMethod: async (/** @type {unknown} */ _p, /** @type {unknown} */ _h, /** @type {string} */ to_sign, /** @type {string} */ datetime) =>
                  (await post("get_aws_v4_signature", { to_sign, datetime, dest })).s3ObjKey,
              }
            : { signerUrl: "/evaporate/sign", signParams: { dest } }),
          aws_key: params.access_key_id,
          bucket: params.bucket,
          aws_url: params.endpoint,
          awsRegion: params.region,
          allowS3ExistenceOptimization: params.allow_existence_optimization,
          s3FileCacheHoursAgo: 0,
        });
        const token = { "x-amz-security-token": params.session_token };
        adding = w.evaporate.add({
          name: params.object_key,
          file,
          contentType: file.type,
          xAmzHeadersCommon: token,
          xAmzHeadersAtInitiate: token,
          notSignedHeadersAtInitiate: {},
          ...callbacks,
        });
      }
      let key = "", refused = "";
      await Promise.race([adding, givenUp]).then((/** @type {string} */ name) => (key = name), (/** @type {string} */ reason) => (refused = reason));
      const seconds = (performance.now() - began) / 1000;
      const shown = calls.map((call) => call.map((x) => (x && typeof x === "object" ? JSON.parse(JSON.stringify(x)) : x)));
      return { key, refused, params, calls: shown, seconds, cookie: document.cookie };
    },
    signer,
    more,
    cancels,
  );
}

/**
 * The names of callbacks, in their order.
 *
 * @param {any[][]} calls
 * @param {string[]} without
 */
export const names = (calls, ...without) => calls.map(([name]) => name).filter((name) => !without.includes(name));

/**
 * The file is in the store, under the name that the page was given for it.
 *
 * @param {Pick<import("./harness.js").Stage, "stored">} s
 * @param {Awaited<ReturnType<typeof upload>>} done
 * @param {{ sha256: string }} file
 */
export async function arrived(s, done, file) {
  assert.deepEqual([done.refused, done.key, done.cookie], ["", done.params.object_key, ""]);
  assert.equal(await s.stored(done.key), file.sha256);
}

/**
 * The widget's page uploads a file, and once more with its import changed; what it
 * is told is the same. Gives both, EvaporateJS's first.
 *
 * @param {import("node:test").TestContext} t
 * @param {Pick<import("./harness.js").Stage, "stored">} s
 * @param {import("puppeteer-core").Page} page
 * @param {{ path: string, sha256: string, size: number }} file
 */
export async function moveOver(t, s, page, file) {
  await choose(page, file.path);
  const theirs = await upload(page, "view");
  await changeImport(page);
  const ours = await upload(page, "view");
  for (const done of [theirs, ours]) {
    await arrived(s, done, file);
    assert.equal(first(done, "started")[1], `${done.params.bucket}/${done.params.object_key}`);
  }
  assert.deepEqual(names(ours.calls, "progress", "info"), names(theirs.calls, "progress", "info"));
  t.diagnostic(`${file.size / 1e6} MB: EvaporateJS 2.1.4 took ${theirs.seconds.toFixed(2)} s, chunksign/evaporate ${ours.seconds.toFixed(2)} s`);
  return { theirs, ours };
}

/**
 * What a callback was told first.
 *
 * @param {{ calls: any[][] }} done
 * @param {string} name
 */
export const first = ({ calls }, name) => calls.find(([n]) => n === name) ?? [];

/**
 * An origin for two replicas, whose URLs are to be put into `urls`: the second signs
 * and looks at the object, the first does the rest.
 *
 * @param {import("node:test").TestContext} t
 */
export async function twoReplicas(t) {
  /** @type {string[]} */
  const urls = [];
  const front = await gate(t, ({ url = "" }) => void front.to(urls[/get_aws_v4_signature|evaporate\/sign|complete/.test(url) ? 1 : 0] ?? ""));
  return { origin: front.origin, urls };
}
