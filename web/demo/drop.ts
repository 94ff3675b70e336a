/** Files dropped anywhere on the page; folders are walked. */

export interface DropOptions {
  /** Whether files can be taken now; asked while they are dragged. */
  ready(): boolean;
  /** Takes what was dropped, a folder's files as they are found. */
  take(files: AsyncIterable<File[]>): void;
  /** Something dropped that could not be read. */
  unreadable(name: string): void;
}

/** Listens on the whole page, and sets data-dragging on the body while files are over it. */
export function acceptDrops({ ready, take, unreadable }: DropOptions): void {
  const dragging = (on: boolean): void => void document.body.toggleAttribute("data-dragging", on);
  const carriesFiles = (e: DragEvent): boolean => e.dataTransfer?.types.includes("Files") ?? false;

  const over = (e: DragEvent): void => {
    if (!e.dataTransfer || !carriesFiles(e)) return;
    e.preventDefault();
    e.dataTransfer.dropEffect = ready() ? "copy" : "none";
    dragging(ready());
  };
  addEventListener("dragenter", over);
  addEventListener("dragover", over);
  addEventListener("dragleave", (e) => {
    if (e.relatedTarget === null) dragging(false); // it left the window, not just an element
  });
  addEventListener("dragend", () => dragging(false));
  addEventListener("drop", (e) => {
    dragging(false);
    if (!e.dataTransfer || !carriesFiles(e)) return;
    e.preventDefault(); // else the browser opens the file in place of the page
    if (!ready()) return;
    // Entries must be asked for before this event ends.
    const dropped: (File | FileSystemDirectoryEntry)[] = [];
    for (const item of e.dataTransfer.items) {
      if (item.kind !== "file") continue;
      const entry = item.webkitGetAsEntry();
      const file = entry?.isDirectory ? (entry as FileSystemDirectoryEntry) : item.getAsFile();
      if (file) dropped.push(file);
    }
    take(filesOf(dropped, unreadable));
  });
}

async function* filesOf(dropped: (File | FileSystemDirectoryEntry)[], unreadable: (name: string) => void): AsyncGenerator<File[]> {
  const files = dropped.filter((d) => d instanceof File);
  if (files.length > 0) yield files;
  for (const folder of dropped) {
    if (!(folder instanceof File)) yield* walk(folder, unreadable);
  }
}

async function* walk(folder: FileSystemDirectoryEntry, unreadable: (name: string) => void): AsyncGenerator<File[]> {
  const reader = folder.createReader();
  try {
    for (;;) {
      // Chromium gives at most 100 entries at a time, and none at the end.
      const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (entries.length === 0) return;
      const opened = entries.filter((e) => e.isFile).map((e) => open(e as FileSystemFileEntry, unreadable));
      const files = (await Promise.all(opened)).filter((f) => f !== undefined);
      if (files.length > 0) yield files;
      for (const entry of entries) {
        if (entry.isDirectory) yield* walk(entry as FileSystemDirectoryEntry, unreadable);
      }
    }
  } catch {
    unreadable(folder.name);
  }
}

async function open(entry: FileSystemFileEntry, unreadable: (name: string) => void): Promise<File | undefined> {
  try {
    return await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
  } catch {
    unreadable(entry.name);
    return undefined;
  }
}
