/**
 * A Django site with django-s3direct's widget, as far as the widget sees it: a form with the markup
 * that its template documents, in front of the real server, which answers the two views.
 */

import { createServer, request } from "node:http";
import { once } from "node:events";
import { stage } from "./harness.js";

/** @typedef {{ status: number, type?: string, body: string }} Answer */
/** @typedef {{ name: string, dest?: string, value?: string }} Field */

/**
 * The widget's markup (s3direct/templates/s3direct/s3direct-widget.tpl of 2.0).
 *
 * @param {Field} field
 */
export const markup = ({ name, dest = "demo-s3direct", value = "" }) => `
<div class="s3direct" data-policy-url="/s3direct/get_upload_params/" data-signing-url="/s3direct/get_aws_v4_signature/">
  <a class="file-link" target="_blank" href="${value}">${value.split("/").at(-1)}</a>
  <a class="file-remove" href="#remove">Remove</a>
  <input class="csrf-cookie-name" type="hidden" value="csrftoken">
  <input class="file-url" type="hidden" value="${value}" id="" name="${name}" />
  <input class="file-dest" type="hidden" value="${dest}">
  <input class="file-input" type="file" style=""/>
  <div class="progress progress-striped active"><div class="bar"></div><a href="#cancel" class="cancel-button">&times;</a></div>
</div>`;

/** What docs/migrate.md has for a static file in the place of the original's. */
const override = 'document.head.append(Object.assign(document.createElement("script"), { src: "/chunksign/s3direct.js" }));';

/** @param {Field[]} fields */
const form = (fields) => `<!doctype html><html><head><meta charset="utf-8"><title>form</title>
<script src="/static/s3direct/dist/index.js"></script></head><body>
<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="the-token"><div id="fields">${fields.map(markup).join("\n")}</div>
<div class="submit-row"><input type="submit" value="Save"><button type="submit" name="again">Save again</button></div></form></body></html>`;

/**
 * The site, its server and a browser. `answer` may answer a request in the server's place.
 *
 * @param {import("node:test").TestContext} t
 * @param {{ answer?: (url: string, headers: import("node:http").IncomingHttpHeaders) => Answer | undefined, included?: "proxied" | "redirected" | "overridden" }} [options]
 *   how index.js comes to be ours
 */
export async function formSite(t, { answer, included = "proxied" } = {}) {
  /** @type {Field[]} */
  let fields = [{ name: "file" }];
  let target = "";
  const site = createServer((incoming, outgoing) => {
    const { method, headers, url = "/" } = incoming;
    const said = answer?.(url, headers) ?? (url === "/form/" ? { status: 200, type: "text/html", body: form(fields) } : undefined);
    if (said) {
      incoming.resume();
      outgoing.writeHead(said.status, { "Content-Type": said.type ?? "application/json" });
      outgoing.end(said.body);
      return;
    }
    const isScript = url === "/static/s3direct/dist/index.js";
    if (isScript && included === "redirected") {
      outgoing.writeHead(302, { Location: "/chunksign/s3direct.js" }).end();
      return;
    }
    if (isScript && included === "overridden") {
      outgoing.writeHead(200, { "Content-Type": "text/javascript" }).end(override);
      return;
    }
    const to = new URL(isScript ? "/chunksign/s3direct.js" : url, target);
    const on = request(to, { method, headers: { ...headers, host: to.host } }, (reply) => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(outgoing);
    });
    on.on("error", () => outgoing.destroy());
    incoming.pipe(on);
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  t.after(() => {
    site.close();
    site.closeAllConnections();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (site.address());
  const origin = `http://127.0.0.1:${port}`;
  const s = await stage(t, { serverArgs: ["-origin", origin, "-log", "debug"] });
  target = s.url;

  /** Opens the form. What it alerts is in `window.alerts`. */
  const open = async (/** @type {Field[]} */ ...given) => {
    if (given.length > 0) fields = given;
    const page = await s.browser.newPage();
    await page.evaluateOnNewDocument(() => {
      const w = /** @type {any} */ (window);
      w.alerts = [];
      w.alert = (/** @type {unknown} */ text) => void w.alerts.push(text);
    });
    await page.goto(`${origin}/form/`);
    return page;
  };
  return { ...s, origin, open };
}

/**
 * Has the widget of a field choose a file.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string} name the field's
 * @param {string} path
 */
export async function chooseIn(page, name, path) {
  const input = await page.waitForSelector(`.s3direct:has([name="${name}"]) .file-input`);
  await /** @type {import("puppeteer-core").ElementHandle<HTMLInputElement>} */ (input).uploadFile(path);
}

/**
 * What a widget shows, and the page around it.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {string} [name] the field's
 */
export const shown = (page, name = "file") =>
  page.evaluate((name) => {
    const widget = /** @type {HTMLElement} */ (document.querySelector(`.s3direct:has([name="${name}"])`));
    const link = /** @type {HTMLAnchorElement} */ (widget.querySelector(".file-link"));
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(".submit-row [type=submit]"));
    return {
      classes: widget.className,
      value: /** @type {HTMLInputElement} */ (widget.querySelector(".file-url")).value,
      chosen: /** @type {HTMLInputElement} */ (widget.querySelector(".file-input")).value,
      link: [link.getAttribute("href"), link.textContent],
      disabled: [...buttons].map((b) => b.disabled),
      alerts: /** @type {any} */ (window).alerts,
    };
  }, name);

/**
 * Waits for a widget's class.
 *
 * @param {import("puppeteer-core").Page} page
 * @param {"form" | "progress" | "link"} what
 * @param {string} [name] the field's
 */
export const becomes = (page, what, name = "file") => page.waitForSelector(`.s3direct.${what}-active:has([name="${name}"])`, { timeout: 120_000 });

/**
 * Waits until the page has alerted something.
 *
 * @param {import("puppeteer-core").Page} page
 */
export const alerted = (page) => page.waitForFunction(() => /** @type {any} */ (window).alerts.length > 0);
