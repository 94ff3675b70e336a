import type { PendingUpload, Upload, Uploader } from "chunksign";
import { bytes, percent, rate, when } from "./format.ts";
import { type Announcer, copyOf, need, setText } from "./page.ts";
import { showName } from "./row.ts";
import { type Source, sourceOf } from "./source.ts";

/** What this section needs of the page around it. */
export interface Surroundings {
  uploader(): Uploader;
  /** Whether a row of this page shows the file already, so that it is not shown twice. */
  shown(name: string, size: number): boolean;
  /** Takes an upload that goes on. */
  goOn(file: Source, upload: Upload): void;
  announcer: Announcer;
}

/** The uploads that an earlier visit left unfinished. */
export class Unfinished {
  private readonly section = need("#unfinished");
  private readonly list = need("#pending");
  private readonly items = new Map<string, { pending: PendingUpload; element: HTMLElement }>();

  constructor(private readonly around: Surroundings) {
    this.list.addEventListener("click", (e) => {
      const button = e.target instanceof Element ? e.target.closest<HTMLElement>("button[data-action]") : null;
      const item = this.itemAt(button);
      if (button && item) this.act(item, button.dataset["action"] ?? "");
    });
    this.list.addEventListener("change", (e) => {
      const input = e.target as HTMLInputElement;
      const item = this.itemAt(input);
      const file = input.files?.[0];
      input.value = ""; // so that the same file may be chosen again
      if (item && file) this.continueWith(item.pending, sourceOf(file));
    });
  }

  /** Asks the journal, and shows what it knows. */
  async refresh(): Promise<void> {
    this.show(await this.around.uploader().pending());
  }

  /** Shows what the journal knows, and what other tabs are doing. */
  show(known: PendingUpload[]): void {
    const ids = new Set(known.map((p) => p.id));
    for (const id of this.items.keys()) if (!ids.has(id)) this.remove(id);
    for (const p of known) {
      if (!this.items.has(p.id) && !this.around.shown(p.name, p.size)) this.insert(p);
      this.update(p);
    }
    this.showOrHide();
  }

  /**
   * The interrupted upload that this file belongs to, taken off the list. The
   * time of the last change decides between two of the same name and size; alone it
   * decides nothing, for a copy has another and the parts are compared anyhow.
   */
  take(file: Source): PendingUpload | undefined {
    return this.takeFrom([...this.items.values()].map(({ pending }) => pending).filter((p) => !p.inOtherTab), file);
  }

  /** As take, from what the journal says now. */
  async takeCurrent(file: Source): Promise<PendingUpload | undefined> {
    return this.takeFrom(await this.around.uploader().pending(), file);
  }

  private takeFrom(list: PendingUpload[], file: Source): PendingUpload | undefined {
    const same = list.filter((p) => p.name === file.name && p.size === file.size);
    const found = same.find((p) => p.lastModified === file.lastModified) ?? same[0];
    if (found) this.remove(found.id);
    return found;
  }

  private insert(p: PendingUpload): void {
    const copy = copyOf("pending-template");
    const element = need("[data-pending]", copy);
    element.dataset["pending"] = p.id;
    element.dataset["name"] = p.name;
    showName(need(".name", copy), p.name);
    need("[data-continue]", copy).setAttribute("aria-label", `The file ${p.name}`);
    need("[data-action=discard]", copy).setAttribute("aria-label", `Discard ${p.name}`);
    this.items.set(p.id, { pending: p, element });
    this.list.append(copy);
  }

  /** Brings an item up to date: who has the upload now, and how far that tab is. */
  private update(p: PendingUpload): void {
    const item = this.items.get(p.id);
    if (!item) return;
    const { element } = item;
    const free = item.pending.inOtherTab && !p.inOtherTab;
    item.pending = p;
    element.toggleAttribute("data-elsewhere", p.inOtherTab);
    setText(need(".words", element), p.inOtherTab ? elsewhere(p) : `${bytes(p.size)} · begun ${when(p.begun, new Date())} · expires ${when(p.expires, new Date())}`);
    const go = need<HTMLButtonElement>("[data-action=continue]", element);
    setText(go, p.canReopen ? "Go on" : "Choose the file to go on");
    go.setAttribute("aria-label", p.canReopen ? `Go on with ${p.name}` : `Choose ${p.name} to go on with its upload`);
    for (const button of element.querySelectorAll<HTMLButtonElement>(".actions > button")) button.hidden = p.inOtherTab;
    if (p.inOtherTab) this.ask(element, false);
    if (free) this.around.announcer.say("can go on here", p.name, p);
  }

  private remove(id: string): void {
    this.items.get(id)?.element.remove();
    this.items.delete(id);
    this.showOrHide();
  }

  private showOrHide(): void {
    this.section.hidden = this.items.size === 0;
    document.body.toggleAttribute("data-left", this.items.size > 0);
  }

  private itemAt(element: Element | null): { pending: PendingUpload; element: HTMLElement } | undefined {
    return this.items.get(element?.closest<HTMLElement>("[data-pending]")?.dataset["pending"] ?? "");
  }

  private act({ pending, element }: { pending: PendingUpload; element: HTMLElement }, action: string): void {
    switch (action) {
      case "continue":
        if (pending.canReopen) return this.continueWith(pending, { ...pending, from: undefined });
        return need<HTMLInputElement>("[data-continue]", element).click();
      case "discard":
        this.ask(element, true);
        return need("[data-action=discard-keep]", element).focus();
      case "discard-keep":
        this.ask(element, false);
        return need("[data-action=discard]", element).focus();
      case "discard-confirm":
        return void this.discard(pending, element);
    }
  }

  private ask(element: HTMLElement, asking: boolean): void {
    need(".actions", element).hidden = asking;
    need(".ask", element).hidden = !asking;
  }

  private continueWith(pending: PendingUpload, file: Source): void {
    if (file.size !== pending.size) {
      this.complain(pending.id, `That is another file: “${file.name}” has ${exact(file.size, pending.size)}, and this upload is of ${exact(pending.size, file.size)}. Choose “${pending.name}”.`);
      return;
    }
    let upload: Upload;
    try {
      upload = this.around.uploader().resume(pending, file.from);
    } catch (e) {
      this.complain(pending.id, e instanceof Error ? e.message : String(e));
      return;
    }
    this.remove(pending.id);
    this.around.goOn(file, upload);
    need("#choose").focus();
  }

  private async discard(pending: PendingUpload, element: HTMLElement): Promise<void> {
    const buttons = element.querySelectorAll<HTMLButtonElement>(".ask button");
    for (const b of buttons) b.disabled = true;
    try {
      await this.around.uploader().discard(pending);
      this.remove(pending.id);
      this.around.announcer.say("discarded", pending.name, pending);
      need("#choose").focus();
    } catch (e) {
      for (const b of buttons) b.disabled = false;
      this.ask(element, false);
      this.complain(pending.id, `It could not be removed from the bucket: ${e instanceof Error ? e.message : String(e)} Try again later.`);
    }
  }

  private complain(id: string, words: string): void {
    const element = this.items.get(id)?.element;
    if (!element) return;
    const message = need(".message", element);
    message.textContent = words;
    message.hidden = false;
  }
}

/** What another tab is doing with an upload. */
function elsewhere({ size, progress: p }: PendingUpload): string {
  if (!p) return `${bytes(size)} · In another tab`;
  const how = p.state === "paused" ? "paused" : p.state === "uploading" && p.speed > 0 ? rate(p.speed) : "";
  return [`In another tab`, `${percent(p.sent, size)}% of ${bytes(size)}`, how].filter(Boolean).join(" · ");
}

/** A size, to the byte where the rounded ones would look the same. */
function exact(size: number, other: number): string {
  return bytes(size) === bytes(other) ? `${size.toLocaleString("en")} bytes` : bytes(size);
}
