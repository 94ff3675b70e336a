/**
 * django-s3direct's own example project, from a checkout: its Django and its admin, Debian's nginx before it, the
 * server for the two views, and the embedded store. Nothing is written to the checkout.
 */

import { execFile, spawn } from "node:child_process";
import { createHash, hkdfSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launch, startServer, until } from "../harness.js";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
export const user = { name: "admin", password: "the admin's password" };

/**
 * The path of a checkout, from the environment.
 *
 * @param {"S3DIRECT" | "EVAPORATE"} variable
 * @param {string} file one of its files
 */
export function checkout(variable, file) {
  const path = process.env[variable] ?? "";
  if (existsSync(join(path, file)) && path !== "") return path;
  const url = variable === "S3DIRECT" ? "https://github.com/bradleyg/django-s3direct" : "https://github.com/TTLabs/EvaporateJS";
  throw new Error(`${variable} is ${JSON.stringify(path)}, where there is no ${file}; get a checkout by: git clone ${url}`);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * The embedded store's own credentials, as server/devstore/keys.go derives them.
 *
 * @param {string} data its folder
 */
async function storeCredentials(data) {
  const secret = await readFile(join(data, ".chunksign-secret"));
  const derive = (/** @type {string} */ what, /** @type {number} */ bytes) => Buffer.from(hkdfSync("sha256", secret, "", `chunksign devstore root ${what}`, bytes));
  const bits = [...derive("access key id", 10)].map((b) => b.toString(2).padStart(8, "0")).join("");
  const id = (bits.match(/.{5}/g) ?? []).map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[parseInt(five, 2)]).join("");
  return { AWS_ACCESS_KEY_ID: `AKIA${id}`, AWS_SECRET_ACCESS_KEY: derive("secret access key", 30).toString("base64") };
}

/**
 * The ports that the program listens on which listens on one of them.
 *
 * @param {number} port
 */
async function portsBeside(port) {
  const lines = (await run("ss", ["-ltnpH"])).stdout.split("\n").map((line) => ({ pid: /pid=(\d+)/.exec(line)?.[1], port: Number(/:(\d+)\s/.exec(line)?.[1]) }));
  const pid = lines.find((line) => line.port === port)?.pid;
  return lines.filter((line) => line.pid === pid).map((line) => line.port);
}

/** @param {number} django @param {number} chunksign @param {number} original @param {number} ours */
const nginxConf = (django, chunksign, original, ours) => {
  const site = (/** @type {number} */ port, widget = "") => `
  server {
    listen 127.0.0.1:${port};
    ${widget}
    location ~ ^/(s3direct|v1|chunksign)/ {
      proxy_pass http://127.0.0.1:${chunksign};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
    location / { proxy_pass http://127.0.0.1:${django}; proxy_set_header Host $http_host; }
  }`;
  const widget = `location = /static/s3direct/dist/index.js { proxy_pass http://127.0.0.1:${chunksign}/chunksign/s3direct.js; }`;
  return `daemon off; pid nginx.pid; error_log error.log; worker_processes 1; events {}
http { access_log access.log; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
${site(original)}
${site(ours, widget)}
}
`;
};

/**
 * @param {import("node:test").TestContext} t
 */
export async function exampleSite(t) {
  const s3direct = checkout("S3DIRECT", "example/manage.py");
  const tmp = await mkdtemp(join(tmpdir(), "chunksign-originals-"));
  /** @type {(() => Promise<unknown>)[]} */
  const endings = [() => rm(tmp, { recursive: true, force: true })];
  t.after(async () => {
    for (const end of endings.reverse()) await end();
  });
  const program = (/** @type {string} */ file, /** @type {string[]} */ args, env = process.env) => {
    const child = spawn(file, args, { stdio: "ignore", env });
    endings.push(async () => {
      if (child.exitCode !== null) return;
      child.kill();
      await once(child, "exit");
    });
  };

  const [original, ours, djangoPort] = [await freePort(), await freePort(), await freePort()];
  const origins = { original: `http://127.0.0.1:${original}`, ours: `http://127.0.0.1:${ours}` };
  const data = join(tmp, "data");
  const store = await startServer(["serve", "-listen", "127.0.0.1:0", "-data", data, "-origin", origins.original, "-origin", origins.ours]);
  endings.push(store.stop);
  const port = Number(new URL(store.url).port);
  const sts = (await portsBeside(port)).find((p) => p !== port && p !== port + 1);

  const destination = { store: "s", bucket: "demo", content_length: "0..5TB", scope: "prefix", compat: ["s3direct"] };
  const images = { content_types: ["image/jpeg", "image/png"], content_length: "5000B..20MB" };
  const config = join(tmp, "c.yaml"); // JSON is YAML
  await writeFile(config, JSON.stringify({
    auth: { forward: { url: `http://127.0.0.1:${djangoPort}/whoami`, cookie: "sessionid" } },
    stores: { s: { region: "us-east-1", endpoint: `http://127.0.0.1:${port + 1}`, sts: { role_arn: "arn:aws:iam::000000000000:role/chunksign-uploads", endpoint: `http://127.0.0.1:${sts}` } } },
    destinations: {
      misc: { ...destination, key: "misc/{user}/{uuid}/{filename}" },
      custom_filename: { ...destination, key: "custom/{user}/{uuid}.{ext}" },
      pdfs: { ...destination, key: "uploads/pdfs/{user}/{uuid}/{filename}", allow: "'staff' in claims.groups" },
      images: { ...destination, ...images, key: "uploads/images/{user}/{uuid}/{filename}" },
      videos: { ...destination, key: "uploads/videos/{user}/{uuid}/{filename}", content_types: ["video/mp4"] },
    },
  }));
  const given = { ...(await storeCredentials(data)), CHUNKSIGN_GRANT_KEYS: `a:${randomBytes(32).toString("base64")}` };
  const server = await startServer(["serve", "-config", config, "-listen", "127.0.0.1:0", "-log", "debug"], undefined, given);
  endings.push(() => server.stop());

  const env = { ...process.env, PYTHONPATH: `${here}:${s3direct}:${s3direct}/example`, DJANGO_SETTINGS_MODULE: "site_settings", PYTHONDONTWRITEBYTECODE: "1", SITE_DATA: tmp,
    DJANGO_SUPERUSER_USERNAME: user.name, DJANGO_SUPERUSER_PASSWORD: user.password, DJANGO_SUPERUSER_EMAIL: "a@example.com" };
  const python = process.env["PYTHON"] ?? "/usr/bin/python3";
  await run(python, ["-m", "django", "migrate"], { env });
  await run(python, ["-m", "django", "createsuperuser", "--noinput"], { env });
  program(python, ["-m", "django", "runserver", "--noreload", `127.0.0.1:${djangoPort}`], env);
  const prefix = join(tmp, "nginx");
  await mkdir(prefix);
  await writeFile(join(prefix, "nginx.conf"), nginxConf(djangoPort, Number(new URL(server.url).port), original, ours));
  program("/usr/sbin/nginx", ["-p", prefix, "-c", "nginx.conf", "-e", "error.log"]);
  await until("Django answers through nginx", () => fetch(`${origins.ours}/form/`).then((r) => r.ok, () => false));

  const browser = await launch();
  endings.push(() => browser.close());
  const page = await browser.newPage();
  await page.evaluateOnNewDocument(() => {
    const w = /** @type {any} */ (window);
    w.alerts = [];
    w.alert = (/** @type {unknown} */ text) => void w.alerts.push(text);
  });
  /** Signs in to the admin of a site. */
  const signIn = async (/** @type {string} */ origin) => {
    await page.goto(`${origin}/admin/login/?next=/admin/cat/cat/add/`);
    await page.type("#id_username", user.name);
    await page.type("#id_password", user.password);
    await Promise.all([page.waitForNavigation(), page.click("[type=submit]")]);
  };
  const stored = async (/** @type {string} */ value) => {
    const bytes = await readFile(join(data, decodeURIComponent(new URL(value.replace(/ /g, "%20")).pathname)));
    return createHash("sha256").update(bytes).digest("hex");
  };
  return { tmp, page, origins, signIn, stored, log: server.log };
}
