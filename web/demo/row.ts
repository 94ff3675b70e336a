import { UploadError, type Upload, type UploadedObject, type UploadProgress, type UploadState } from "chunksign";
import { bytes, percent, splitName } from "./format.ts";
import { copyOf, need, setBar, setIcon, setText } from "./page.ts";
import type { Source } from "./source.ts";
import { explain, inTrouble, progressWords } from "./words.ts";

/** Why a row has no object: an UploadError, or a refusal of the page's own. */
export type Failure = Pick<UploadError, "code" | "message" | "status" | "requestId" | "retryable" | "part">;

const glyphs: Partial<Record<UploadState, string>> = { done: "check", failed: "alert", cancelled: "close" };
const ended: ReadonlySet<UploadState> = new Set(["done", "failed", "cancelled"]);
const resumable: ReadonlySet<UploadState> = new Set(["paused"]);
const pausable: ReadonlySet<UploadState> = new Set(["queued", "preparing", "uploading", "offline"]);

/**
 * One file on the page: its upload, and the list item that shows it.
 *
 * What happens to the upload only marks the row; draw() puts it on the screen,
 * as often as the page sees fit.
 */
export class Row {
  readonly element: HTMLLIElement;
  /** "done" and "failed" only once the result is there too. */
  state: UploadState = "queued";
  upload: Upload | undefined;
  object: UploadedObject | undefined;
  error: Failure | undefined;
  /** Whether it goes on with an upload that was interrupted. */
  resumed = false;

  private drawn: UploadState | undefined;
  private ticking = 0;
  private readonly words: Element;
  private readonly pace: Element;
  private readonly bar: Element;
  private readonly actions: Element;
  private readonly underWay: Element[];
  private readonly toggle: HTMLButtonElement;
  private readonly cancel: HTMLButtonElement;
  private readonly signIn: HTMLButtonElement;

  /** @param changed is told of every change: urgent ones are those of state. */
  constructor(public file: Source, private readonly changed: (row: Row, urgent: boolean) => void) {
    const copy = copyOf("row-template");
    this.element = need<HTMLLIElement>("[data-upload]", copy);
    this.words = need(".words", copy);
    this.pace = need(".pace", copy);
    this.bar = need(".bar", copy);
    this.actions = need(".actions", copy);
    this.underWay = [...this.actions.children];
    this.toggle = need("[data-action=pause]", copy);
    this.cancel = need("[data-action=cancel]", copy);
    this.signIn = need("[data-action=reauthenticate]", copy);
    this.signIn.setAttribute("aria-label", `Try again: ${file.name}`);
    this.element.dataset["name"] = file.name;
    this.bar.setAttribute("aria-label", file.name);
    showName(need(".name", copy), file.name);
    this.cancel.setAttribute("aria-label", `Cancel ${file.name}`);
    this.cancel.title = "Cancel";
  }

  get ended(): boolean {
    return ended.has(this.state);
  }
  get pausable(): boolean {
    return this.upload !== undefined && pausable.has(this.state);
  }
  get resumable(): boolean {
    return this.upload !== undefined && resumable.has(this.state);
  }
  /** How far the upload is; undefined before it begins. */
  get progress(): UploadProgress | undefined {
    return this.upload?.progress;
  }

  /** Shows an upload, the row's first or another try. */
  follow(upload: Upload, resumed: boolean): void {
    this.upload = upload;
    this.resumed = resumed;
    this.element.toggleAttribute("data-resumed", resumed);
    upload.addEventListener("progress", () => this.changed(this, false));
    upload.addEventListener("state", () => {
      if (this.upload === upload && !this.ended && !ended.has(upload.state)) this.enter(upload.state);
    });
    upload.result.then(
      (object) => {
        this.object = object;
        this.enter("done");
      },
      (e: unknown) => this.fail(asFailure(e)),
    );
    this.enter(ended.has(upload.state) ? "queued" : upload.state);
  }

  /** Ends the row without an object. */
  fail(error: Failure): void {
    this.error = error;
    this.enter(error.code === "cancelled" || error.code === "cancel_unconfirmed" ? "cancelled" : "failed");
  }

  /** Forgets how it ended, before another try with this file. */
  reset(file: Source): void {
    this.file = file;
    this.upload = this.object = this.error = undefined;
    this.enter("queued");
  }

  private enter(state: UploadState): void {
    this.state = state;
    this.changed(this, true);
  }

  draw(): void {
    if (this.state !== this.drawn) this.drawState();
    if (this.ended) return;
    const p: UploadProgress = this.progress ?? { state: "queued", total: this.file.size, sent: 0, confirmed: 0, parts: 0, partsDone: 0, speed: 0, secondsLeft: undefined, hashing: 0, sending: 0, waiting: 0, trouble: undefined };
    const [words, pace] = progressWords(this.state, p, new Date());
    this.element.toggleAttribute("data-trouble", this.state !== "paused" && inTrouble(p));
    this.countDown(p);
    setText(this.words, this.resumed ? `Resumed · ${words}` : words);
    setText(this.pace, pace);
    // An empty file has nothing to send, and is not at its end for that.
    const share = (n: number): number => (p.total > 0 ? n / p.total : 0);
    setBar(this.bar, share(p.sent), share(p.confirmed));
    const sent = String(p.total > 0 ? percent(p.sent, p.total) : 0);
    if (this.bar.getAttribute("aria-valuenow") === sent) return;
    this.bar.setAttribute("aria-valuenow", sent);
    this.bar.setAttribute("aria-valuetext", `${sent}% sent, ${p.total > 0 ? percent(p.confirmed, p.total) : 0}% confirmed`);
  }

  /** Nothing else happens while the next try is waited for: the seconds are counted here. */
  private countDown({ trouble }: UploadProgress): void {
    clearTimeout(this.ticking);
    const left = (trouble?.retryAt?.getTime() ?? 0) - Date.now();
    if (left > 0) this.ticking = window.setTimeout(() => this.changed(this, false), left % 1000);
  }

  private drawState(): void {
    const { element, state, drawn } = this;
    const first = drawn === undefined;
    this.drawn = state;
    element.dataset["state"] = state;
    if (this.ended) element.removeAttribute("data-trouble");
    if (this.ended || first || ended.has(drawn)) this.changeParts();
    if (this.ended) return;
    const { toggle, cancel } = this;
    const action = resumable.has(state) ? "resume" : "pause";
    if (first || toggle.dataset["action"] !== action) {
      const verb = action === "pause" ? "Pause" : "Resume";
      toggle.dataset["action"] = action;
      toggle.title = verb;
      toggle.setAttribute("aria-label", `${verb} ${this.file.name}`);
      setIcon(toggle, action === "pause" ? "pause" : "play");
    }
    // A hidden button loses the focus, and the keyboard its place.
    const idle = !pausable.has(state) && !resumable.has(state);
    if (idle && toggle === document.activeElement) cancel.focus();
    toggle.hidden = idle;
    this.signIn.hidden = state !== "needs-auth";
    cancel.disabled = state === "cancelling";
  }

  /** Puts in what the state has: a bar and its buttons under way, an outcome at the end. */
  private changeParts(): void {
    const { element, state, actions } = this;
    const focused = element.contains(document.activeElement);
    setIcon(need(".glyph", element), glyphs[state] ?? "file");
    for (const old of element.querySelectorAll(".outcome, .verdict")) old.remove();
    this.bar.toggleAttribute("hidden", this.ended);
    setText(this.pace, "");
    if (!this.ended) {
      actions.replaceChildren(...this.underWay);
    } else if (state === "done") {
      this.drawDone();
    } else {
      this.drawFailed();
    }
    for (const button of actions.querySelectorAll("[data-action=dismiss]")) {
      button.setAttribute("aria-label", `Remove ${this.file.name} from the list`);
    }
    if (focused) actions.querySelector<HTMLElement>("a:not([hidden]), button:not([hidden])")?.focus();
  }

  private drawDone(): void {
    const { object } = this;
    if (!object) return;
    setText(this.words, bytes(object.size));
    const outcome = copyOf("done-template");
    const key = need("[data-key]", outcome);
    key.textContent = object.key;
    key.setAttribute("title", object.key);
    const proven = object.checksum !== "";
    const verdict = copyOf("verdict-template");
    need("span", verdict).textContent = proven ? "Verified" : "Stored";
    need(".facts", this.element).append(verdict);
    need(".proof p", outcome).textContent = proven
      ? "The store took every part only because its checksum was right, and the server looked at the object afterwards." + composite(object.checksum)
      : "The server found the object at its full size. This store keeps no checksum of it.";
    const facts: [string, string][] = [
      ["Checksum", object.checksum],
      ["Size", `${object.size.toLocaleString("en")} bytes`],
      ["Bucket", object.bucket],
      ["ETag", object.etag],
      ["Version", object.versionId],
    ];
    for (const [term, value] of facts) {
      if (value === "") continue;
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = term;
      dd.textContent = value;
      if (term === "Checksum") dd.dataset["checksum"] = "";
      need("dl", outcome).append(dt, dd);
    }
    this.element.append(outcome);

    const buttons = copyOf("done-actions-template");
    const link = need<HTMLAnchorElement>("[data-result]", buttons);
    if (object.url === "") {
      link.remove();
      need("[data-action=copy]", buttons).remove();
    } else {
      link.href = object.url;
      link.setAttribute("aria-label", `Download ${this.file.name}`);
      need("[data-action=copy]", buttons).setAttribute("aria-label", `Copy the link to ${this.file.name}`);
    }
    this.actions.replaceChildren(buttons);
  }

  private drawFailed(): void {
    const { error, state } = this;
    if (!error) return;
    const buttons = copyOf("ended-actions-template");
    const retry = need<HTMLButtonElement>("[data-action=retry]", buttons);
    if (state === "cancelled") {
      setText(this.words, `${bytes(this.file.size)} · Cancelled`);
      retry.textContent = "Start over";
      // A cancel that the store did not confirm left parts behind: that is said.
      if (error.code === "cancel_unconfirmed") this.drawTrace(error.message, error);
    } else {
      const { what, advice, again } = explain(error);
      setText(this.words, `${bytes(this.file.size)} · ${what}`);
      this.drawTrace(error.status === 0 && again === "no" ? error.message : advice, error);
      retry.hidden = again === "no";
      if (again === "pick") retry.textContent = "Choose it again";
    }
    retry.setAttribute("aria-label", `${retry.textContent}: ${this.file.name}`);
    this.actions.replaceChildren(buttons);
  }

  private drawTrace(advice: string, error: Failure): void {
    const outcome = copyOf("failed-template");
    need(".advice", outcome).textContent = advice;
    need("code", outcome).textContent = trace(error);
    need(".trace", outcome).setAttribute("title", error.message);
    this.element.append(outcome);
  }
}

/** Puts a name where it may be cut in the middle, whole in the title and for those who listen. */
export function showName(element: Element, name: string): void {
  const [head, tail] = splitName(name);
  element.setAttribute("title", name);
  if (tail === "") {
    element.textContent = head;
    return;
  }
  const pieces = [["head", head], ["tail", tail], ["unseen", name]].map(([className = "", text = ""]) => {
    const span = document.createElement("span");
    span.className = className;
    span.textContent = text;
    if (className !== "unseen") span.ariaHidden = "true";
    return span;
  });
  element.replaceChildren(...pieces);
}

/**
 * What a checksum of parts is, for those who compare it with that of the file.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
function composite(checksum: string): string {
  const parts = /-(\d+)$/.exec(checksum)?.[1];
  return parts ? ` The checksum is that of its ${parts} parts' checksums, not of the file in one piece.` : "";
}

/** What support asks for, in a line. */
export function trace(error: Failure): string {
  return [
    error.code,
    error.status ? `HTTP ${error.status}` : "",
    error.part ? `part ${error.part}` : "",
    error.requestId ? `request ${error.requestId}` : "",
  ].filter(Boolean).join(" · ");
}

function asFailure(e: unknown): Failure {
  if (e instanceof UploadError) return e;
  return { code: "unexpected", message: e instanceof Error ? e.message : String(e), status: 0, requestId: "", retryable: false, part: 0 };
}
