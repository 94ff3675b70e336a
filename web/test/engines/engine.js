// What scripts/engine says of the engine that it runs.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AwsClient } from "aws4fetch";
import { launch, startServer } from "../harness.js";

/** @param {string} name */
export function env(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run this by go run ./scripts/engine`);
  return value;
}

/** Pages get no sessions of it, which it does not keep to their policies. */
export const ceph = env("CHUNKSIGN_ENGINE") === "ceph";

/** @param {"kill" | "start"} act @param {number} node */
export async function node(act, node) {
  const reply = await fetch(`${env("CHUNKSIGN_ENGINE_CONTROL")}/${act}?node=${node}`, { method: "POST" });
  assert.equal(reply.status, 204, await reply.text());
}

/**
 * The server with a configuration at the engine, a browser, and a folder.
 *
 * @param {import("node:test").TestContext} t
 * @param {Record<string, object>} destinations  each gets the store and its bucket
 * @param {{ origins?: string[], named?: boolean, trusted?: boolean }} [options]  other origins of pages; the store has a name, at port 80; its sessions are not tried
 */
export async function engineStage(t, destinations, { origins = [], named = false, trusted = false } = {}) {
  const tmp = await mkdtemp(join(tmpdir(), "chunksign-test-"));
  t.after(() => rm(tmp, { recursive: true, force: true }));
  const at = env("CHUNKSIGN_S3_ENDPOINT");
  const store = {
    region: env("CHUNKSIGN_S3_REGION"), endpoint: named ? "http://store.test" : at,
    sts: { role_arn: env("CHUNKSIGN_S3_ROLE_ARN"), endpoint: env("CHUNKSIGN_STS_ENDPOINT"), trusted },
    unsigned_headers: ceph, sign_parts_in: ceph ? "headers" : "query",
  };
  const config = join(tmp, "c.yaml"); // JSON is YAML
  await writeFile(config, JSON.stringify({
    ...(origins.length > 0 && { server: { origins } }),
    auth: { dev: true },
    stores: { s: store },
    destinations: Object.fromEntries(Object.entries(destinations).map(([name, d]) => [name, { store: "s", bucket: env("CHUNKSIGN_S3_BUCKET"), content_length: "0..50TB", ...d }])),
  }));
  const given = {
    AWS_ACCESS_KEY_ID: env("CHUNKSIGN_S3_ACCESS_KEY"), AWS_SECRET_ACCESS_KEY: env("CHUNKSIGN_S3_SECRET_KEY"),
    CHUNKSIGN_GRANT_KEYS: `a:${randomBytes(32).toString("base64")}`,
    // A store answers what is sent to it as to a proxy by the name that is asked for.
    ...(named && { HTTP_PROXY: at }),
  };
  const replica = async () => {
    const server = await startServer(["serve", "-config", config, "-listen", "127.0.0.1:0"], undefined, given);
    t.after(() => server.stop());
    return server;
  };
  const server = await replica();
  const browser = await launch(named ? [`--host-resolver-rules=MAP store.test ${new URL(at).host}`] : []);
  t.after(() => browser.close());
  const root = new AwsClient({ accessKeyId: given.AWS_ACCESS_KEY_ID, secretAccessKey: given.AWS_SECRET_ACCESS_KEY, region: store.region, service: "s3" });
  const stored = async (/** @type {string} */ key) => {
    const path = [env("CHUNKSIGN_S3_BUCKET"), ...key.split("/")].map(encodeURIComponent).join("/");
    return sha256At((await root.sign(`${at}/${path}`, { aws: { signQuery: true } })).url);
  };
  return { url: server.url, browser, tmp, replica, stored };
}

/**
 * The SHA-256 of what a link leads to.
 *
 * @param {string} url
 */
export async function sha256At(url) {
  const hash = createHash("sha256");
  const got = await fetch(url);
  assert.equal(got.status, 200, url);
  for await (const piece of /** @type {any} */ (got.body)) hash.update(piece);
  return hash.digest("hex");
}
