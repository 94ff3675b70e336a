/**
 * django-s3direct 2.0's widget over chunksign's engine: what its index.js does for the markup of
 * s3direct-widget.tpl, with the same classes, messages and form value. Its index.css stays.
 *
 * A page includes it as it includes index.js, by a `<script src>` that is no module:
 * docs/migrate.md, "Its widget", says how it is put in that file's place.
 *
 * Elements of the markup, within `.s3direct`: `.file-url` is the form's field, `.file-input` where a
 * file is chosen, `.file-dest` the destination's name, `.bar` the progress. What is shown is a
 * class of the element: form-active, progress-active or link-active.
 */

import type { Evaporate as Shim, EvaporateConfig } from "./evaporate.ts";
import { retried, SignerSaid } from "./evaporate/retry.ts";

/** What get_upload_params answers, as far as it is needed. */
interface UploadParams {
  object_key: string;
  bucket: string;
  endpoint: string;
}

interface ShimModule {
  default: { create(config: EvaporateConfig): Promise<Shim> };
}

const failedToUpload = "Sorry, failed to upload file.";
const noUploadURL = "Sorry, could not get upload URL.";

/** Waits between requests to the signing view, as EvaporateJS 2.1.4 has them by default. */
const backoff = { retryBackoffPower: 2, maxRetryBackoffSecs: 300 };

/**
 * The folder of the built modules: this script's own, if it was loaded by its own name; /chunksign/
 * of the page's origin where it stands in for a static file, such as /static/s3direct/dist/index.js.
 * An import() relative to the script would not do: with a script of another origin it has no base.
 */
const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : "";
const modules = new URL("./", /\/s3direct\.js(\?.*)?$/.test(script) ? script : new URL("/chunksign/", location.href));

let loading: Promise<ShimModule> | undefined;

/** Loads the shim once; a failure is not kept, so that the next file asks again. */
function shim(): Promise<ShimModule> {
  const url = new URL("evaporate.js", modules).href;
  loading ??= (import(url) as Promise<ShimModule>).catch((e: unknown) => {
    loading = undefined;
    throw e;
  });
  return loading;
}

class Widget {
  private readonly field: HTMLInputElement;
  private readonly input: HTMLInputElement;

  constructor(private readonly element: HTMLElement) {
    this.field = this.find(".file-url");
    this.input = this.find(".file-input");
    this.show(this.field.value === "" ? "form" : "link");
    this.input.value = ""; // Firefox keeps it over a reload, and choosing the same file again would change nothing
    this.input.addEventListener("change", () => void this.chosen());
    this.find(".file-remove").addEventListener("click", (e) => {
      e.preventDefault();
      this.field.value = "";
      this.input.value = "";
      this.show("form");
    });
  }

  private find<E extends HTMLElement = HTMLInputElement>(selector: string): E {
    return this.element.querySelector<E>(selector)!;
  }

  private show(what: "form" | "progress" | "link"): void {
    this.element.className = `s3direct ${what}-active`;
  }

  private progress(ratio: number): void {
    this.find<HTMLElement>(".bar").style.width = `${Math.round(ratio * 100)}%`;
  }

  /** A file was chosen: asks the policy view, then uploads. */
  private async chosen(): Promise<void> {
    const file = this.input.files?.[0];
    if (!file) return; // the choice was cancelled
    const dest = this.find(".file-dest").value;
    try {
      const params = await this.askPolicy(dest, file);
      this.finished(params, await this.upload(params, dest, file));
    } catch (reason) {
      this.failed(reason);
    }
  }

  private finished({ endpoint, bucket }: UploadParams, key: string): void {
    const link = this.find<HTMLAnchorElement>(".file-link");
    this.field.value = `${endpoint}/${bucket}/${key}`;
    link.setAttribute("href", this.field.value);
    link.textContent = nameOf(this.field.value);
    this.show("link");
    this.progress(0);
  }

  private failed(reason: unknown): void {
    this.show("form");
    this.progress(0);
    this.input.value = "";
    const text = reason instanceof Error ? reason.message : reason;
    alert(typeof text === "string" && text !== "" ? text : failedToUpload);
  }

  private async askPolicy(dest: string, file: File): Promise<UploadParams> {
    const url = this.element.getAttribute("data-policy-url") ?? "";
    const reply = await this.post(url, { dest, name: file.name, type: file.type, size: String(file.size) });
    const params = Object(parsed(await reply.text()));
    if (reply.ok && typeof params.object_key === "string") return params as UploadParams;
    // The original shows the view's words for these statuses only.
    const texts = [400, 403, 500].includes(reply.status) ? [params.error, params.detail] : [];
    throw new Error(texts.find((text) => typeof text === "string" && text !== "") ?? noUploadURL);
  }

  /** Resolves to the object's key. */
  private async upload(params: UploadParams, dest: string, file: File): Promise<string> {
    const cancelled = new AbortController();
    let cancel = (): void => cancelled.abort("User aborted the upload");
    const onCancel = (e: Event): void => {
      e.preventDefault();
      cancel();
    };
    const button = this.find<HTMLElement>(".cancel-button");
    button.addEventListener("click", onCancel);
    this.show("progress");
    submits.hold();
    try {
      const { default: Evaporate } = await shim().catch(() => Promise.reject(failedToUpload));
      cancelled.signal.throwIfAborted();
      const evaporate = await Evaporate.create({
        bucket: params.bucket,
        customAuthMethod: (_params, _headers, to_sign, datetime) => this.sign({ to_sign, datetime, dest }, cancelled.signal),
        endpoint: new URL(this.element.getAttribute("data-signing-url") ?? "", location.href).origin,
        progressIntervalMS: 250,
        logging: false,
      });
      cancel = () => {
        cancelled.abort("User aborted the upload");
        evaporate.cancel().catch(() => undefined); // of its one file, which may have ended
      };
      const progress = (ratio: number): void => this.progress(ratio);
      return await evaporate.add({ name: params.object_key, file, contentType: file.type, progress });
    } finally {
      button.removeEventListener("click", onCancel);
      submits.release();
    }
  }

  /** Asks the signing view, which the shim asks for a grant. */
  private sign(fields: Record<string, string>, signal: AbortSignal): Promise<string> {
    const url = this.element.getAttribute("data-signing-url") ?? "";
    const ask = async (): Promise<string> => {
      const reply = await this.post(url, fields).catch(() => Promise.reject(new SignerSaid(0, failedToUpload)));
      const body = await reply.text();
      if (!reply.ok) throw new SignerSaid(reply.status, body);
      const { s3ObjKey } = Object(parsed(body)) as { s3ObjKey?: unknown };
      if (typeof s3ObjKey === "string" && s3ObjKey !== "") return s3ObjKey;
      throw new Error("The signing view answered without a signature.");
    };
    return retried(backoff, ask, { signal }).catch((e: unknown) => Promise.reject(e instanceof Error ? e.message : e));
  }

  private async post(url: string, fields: Record<string, string>): Promise<Response> {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    try {
      return await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": this.csrfToken() } });
    } catch {
      throw new Error(failedToUpload);
    }
  }

  private csrfToken(): string {
    const input = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
    return input ? input.value : cookie(this.find(".csrf-cookie-name").value);
  }
}

/** The buttons of Django's admin that submit the form: disabled while anything is being uploaded. */
const submits = {
  uploads: 0,
  hold(): void {
    this.uploads++;
    this.set();
  },
  release(): void {
    this.uploads--;
    this.set();
  },
  set(): void {
    const buttons = document.querySelector(".submit-row")?.querySelectorAll("input[type=submit],button[type=submit]");
    for (const button of buttons ?? []) (button as HTMLInputElement | HTMLButtonElement).disabled = this.uploads !== 0;
  },
};

function cookie(name: string): string {
  for (const pair of document.cookie.split("; ")) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at) === name) return decoded(pair.slice(at + 1));
  }
  return "";
}

/** The file's name, as the link shows it. */
const nameOf = (url: string): string => decoded(url.replace(/\+/g, "%20")).split("/").at(-1)!;

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a name may hold a %
  }
}

const known = new WeakSet<Element>();

/** Makes widgets of the elements that are none yet: an admin's inline forms are added later. */
function findWidgets(): void {
  for (const element of document.querySelectorAll<HTMLElement>(".s3direct")) {
    const field = element.querySelector<HTMLInputElement>(".file-url");
    // The form that Django's admin copies for each inline has names with __prefix__.
    if (known.has(element) || !field || field.name.includes("__prefix__")) continue;
    known.add(element);
    new Widget(element);
  }
}

function start(): void {
  findWidgets();
  new MutationObserver(findWidgets).observe(document.body, { childList: true, subtree: true });
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
