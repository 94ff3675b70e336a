import type { PendingUpload, Upload, Uploader } from "chunksign";
import type { Refusal } from "./destinations.ts";
import { type Announcer, need, setText, toClipboard } from "./page.ts";
import { inSlices, Painter } from "./painter.ts";
import { Row, trace } from "./row.ts";
import { type Source, sourceOf } from "./source.ts";
import { Summary, totalsOf } from "./summary.ts";
import { explain, spoken } from "./words.ts";

/** What the list needs of the page around it. */
export interface Surroundings {
  uploader(): Uploader;
  /** Why the destination takes no such file. */
  refusal(file: Source): Refusal | undefined;
  /** An interrupted upload of this very file, taken off the list of those. */
  pendingOf(file: Source): Promise<PendingUpload | undefined>;
  /** A row is gone that may have left an interrupted upload behind. */
  dismissed(): void;
  announcer: Announcer;
}

/** Milliseconds that a button says "Copied". */
const copiedFor = 2000;

/** The uploads of this page. */
export class UploadList {
  private readonly rows = new Set<Row>();
  private readonly byElement = new Map<Element, Row>();
  private readonly element = need("#rows");
  private readonly summary = new Summary();
  private readonly painter = new Painter<Row>(() => this.summary.draw(totalsOf(this.rows)));
  private readonly said = new WeakMap<Row, string>();

  constructor(private readonly around: Surroundings) {
    this.element.addEventListener("click", (e) => {
      const button = e.target instanceof Element ? e.target.closest<HTMLButtonElement>("button[data-action]") : null;
      const row = this.byElement.get(button?.closest("[data-upload]") ?? this.element);
      if (button && row) void this.act(row, button);
    });
    need("#pause-all").addEventListener("click", (e) => void this.pauseOrResumeAll((e.currentTarget as HTMLElement).dataset["action"] === "pause-all"));
    need("#clear").addEventListener("click", () => void this.clear());
  }

  /** Whether leaving the page now interrupts something. Who paused an upload knows that it is not done. */
  get busy(): boolean {
    for (const row of this.rows) if (!row.ended && row.state !== "paused") return true;
    return false;
  }

  /** Whether a row has this file and may still upload it. */
  has(name: string, size: number): boolean {
    for (const { file, state } of this.rows) if (file.name === name && file.size === size && state !== "done" && state !== "cancelled") return true;
    return false;
  }

  /** Begins to upload a file, or says why not. Call it for many by inSlices. */
  add(file: Source): void {
    const row = this.insert(file);
    const no = this.around.refusal(file);
    if (no) row.fail({ ...no, status: 0, requestId: "", retryable: false, part: 0 });
    else if (file.from) row.follow(this.around.uploader().upload(file.from), false);
  }

  /** Goes on with an interrupted upload that the caller began again. */
  goOn(file: Source, upload: Upload): void {
    this.insert(file).follow(upload, true);
  }

  private insert(file: Source): Row {
    const row = new Row(file, (changed, urgent) => this.changed(changed, urgent));
    this.rows.add(row);
    this.byElement.set(row.element, row);
    row.draw();
    this.element.append(row.element);
    return row;
  }

  private changed(row: Row, urgent: boolean): void {
    if (!this.rows.has(row)) return;
    this.painter.mark(row, urgent);
    if (!urgent || this.said.get(row) === row.state) return;
    this.said.set(row, row.state);
    let words = spoken[row.state];
    if (row.state === "uploading" && row.resumed) words = "resumed where it stopped";
    if (row.state === "failed" && row.error) words = `failed. ${explain(row.error).what}`;
    if (words) this.around.announcer.say(words, row.file.name, row);
  }

  private async act(row: Row, button: HTMLButtonElement): Promise<void> {
    switch (button.dataset["action"]) {
      case "pause":
        return row.upload?.pause();
      case "resume":
        return row.upload?.resume();
      case "reauthenticate":
        return this.around.uploader().reauthenticate();
      case "cancel":
        return row.upload?.cancel();
      case "dismiss":
        return this.dismiss(row);
      case "retry":
        if (row.error && explain(row.error).again === "pick") return this.pickAgain(row);
        return this.retry(row, row.file);
      case "proof":
        return unfold(button, need(".proof", row.element));
      case "copy":
        return this.copy(row, button, row.object?.url ?? (row.error ? `${trace(row.error)}\n${row.error.message}` : ""));
      case "copy-key":
        return this.copy(row, button, row.object?.key ?? "");
    }
  }

  /** Tries again, from what the store kept where it kept anything. */
  private async retry(row: Row, file: Source): Promise<void> {
    const no = this.around.refusal(file);
    if (no) return row.fail({ ...no, status: 0, requestId: "", retryable: false, part: 0 });
    row.reset(file);
    const pending = await this.around.pendingOf(file);
    const uploader = this.around.uploader();
    if (pending) row.follow(uploader.resume(pending, file.from), true);
    else if (file.from) row.follow(uploader.upload(file.from), false);
    else this.pickAgain(row);
  }

  /** Asks for a row's file once more; the one that the page has is of no use any longer. */
  private pickAgain(row: Row): void {
    const input = document.createElement("input");
    input.type = "file";
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      if (!file) return;
      if (file.name === row.file.name) return void this.retry(row, sourceOf(file));
      this.dismiss(row);
      this.add(sourceOf(file));
    });
    input.click();
  }

  private dismiss(row: Row): void {
    const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
    this.remove(row);
    this.painter.mark(null, true);
    (next?.querySelector<HTMLElement>(".actions a, .actions button:not([hidden])") ?? need("#choose")).focus();
    this.around.dismissed();
  }

  private remove(row: Row): void {
    this.rows.delete(row);
    this.byElement.delete(row.element);
    row.element.remove();
  }

  private async pauseOrResumeAll(pause: boolean): Promise<void> {
    await inSlices([...this.rows], (row) => {
      if (pause && row.pausable) row.upload?.pause();
      if (!pause && row.resumable) row.upload?.resume();
    });
  }

  private async clear(): Promise<void> {
    need("#choose").focus();
    await inSlices([...this.rows], (row) => {
      if (row.state === "done" || row.state === "cancelled") this.remove(row);
    });
    this.painter.mark(null, true);
  }

  private async copy(row: Row, button: HTMLButtonElement, text: string): Promise<void> {
    const copied = await toClipboard(text);
    const words = copied ? "Copied" : "Could not copy";
    this.around.announcer.say(words.toLowerCase(), row.file.name, button);
    if (button.classList.contains("round")) {
      need("use", button).setAttribute("href", copied ? "#check" : "#alert");
      setTimeout(() => need("use", button).setAttribute("href", "#copy"), copiedFor);
    } else {
      setText(button, words);
      setTimeout(() => setText(button, "Copy link"), copiedFor);
    }
  }
}

/** Shows what a button hides, or hides it again. */
function unfold(button: HTMLElement, hidden: HTMLElement): void {
  hidden.hidden = !hidden.hidden;
  button.setAttribute("aria-expanded", String(!hidden.hidden));
}
