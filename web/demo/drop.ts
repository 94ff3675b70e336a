/** Files dropped anywhere on the page; folders are walked. */

import { type Source, sourceOf } from "./source.ts";

export interface DropOptions {
  /** Whether files can be taken now; asked while they are dragged. */
  ready(): boolean;
  /** Takes what was dropped, a folder's files as they are found. */
  take(files: AsyncIterable<Source[]>): void;
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
    // Entries and handles must be asked for before this event ends.
    const files: Promise<Source>[] = [];
    const folders: Folder[] = [];
    for (const item of e.dataTransfer.items) {
      if (item.kind !== "file") continue;
      const entry = item.webkitGetAsEntry();
      const file = item.getAsFile();
      if (entry?.isDirectory) folders.push({ entry: entry as FileSystemDirectoryEntry, handle: handleOf(item) });
      else if (file) files.push(handleOf(item).then((handle) => sourceOf(file, handle?.kind === "file" ? (handle as FileSystemFileHandle) : undefined)));
    }
    take(filesOf(files, folders, unreadable));
  });
}

interface Folder {
  entry: FileSystemDirectoryEntry;
  handle: Promise<FileSystemHandle | null>;
}

/** Chromium gives what is dropped as a handle too, by which its upload can go on after a reload. */
async function handleOf(item: DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> }): Promise<FileSystemHandle | null> {
  return item.getAsFileSystemHandle?.().catch(() => null) ?? null;
}

async function* filesOf(files: Promise<Source>[], folders: Folder[], unreadable: (name: string) => void): AsyncGenerator<Source[]> {
  if (files.length > 0) yield Promise.all(files);
  for (const { entry, handle } of folders) {
    const folder = await handle;
    if (folder?.kind === "directory") yield* walkHandle(folder as FileSystemDirectoryHandle, unreadable);
    else yield* walk(entry, unreadable);
  }
}

/** Files of a folder that the page takes at a time. */
const batch = 100;

async function* walkHandle(folder: FileSystemDirectoryHandle, unreadable: (name: string) => void): AsyncGenerator<Source[]> {
  const files: Source[] = [];
  try {
    for await (const handle of folder.values()) {
      if (handle.kind === "directory") yield* walkHandle(handle, unreadable);
      else files.push(...(await handle.getFile().then((file) => [sourceOf(file, handle)], () => (unreadable(handle.name), []))));
      if (files.length >= batch) yield files.splice(0);
    }
  } catch {
    unreadable(folder.name);
  }
  if (files.length > 0) yield files;
}

async function* walk(folder: FileSystemDirectoryEntry, unreadable: (name: string) => void): AsyncGenerator<Source[]> {
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

async function open(entry: FileSystemFileEntry, unreadable: (name: string) => void): Promise<Source | undefined> {
  try {
    return sourceOf(await new Promise<File>((resolve, reject) => entry.file(resolve, reject)));
  } catch {
    unreadable(entry.name);
    return undefined;
  }
}
