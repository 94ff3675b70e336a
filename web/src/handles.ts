/**
 * The handles of files whose uploads are unfinished, by the names of their
 * records. A store of its own: handles are kept by structured clone, and the
 * journal keeps bytes only.
 */

import { type ErrorInfo, ownError } from "./errors.ts";

const database = "chunksign-handles";
const table = "handles";

/** Milliseconds that a handle may be without a record: its record may be just being written. */
const grace = 3_600_000;

interface Kept {
  handle: FileSystemFileHandle;
  at: number; // ms since 1970
}

export function keep(record: string, handle: FileSystemFileHandle): Promise<void> {
  const kept: Kept = { handle, at: Date.now() };
  return inStore("readwrite", (store) => store.put(kept, record)).then(() => undefined);
}

export function forget(record: string): Promise<void> {
  return inStore("readwrite", (store) => store.delete(record));
}

/** The records whose file can be opened again. Handles of records that are not known any more go. */
export async function reopenable(known: readonly string[]): Promise<Set<string>> {
  const have = new Set<string>();
  const names = await inStore("readonly", (store) => store.getAllKeys());
  for (const name of names as string[]) {
    if (known.includes(name)) have.add(name);
    else if (((await get(name))?.at ?? 0) < Date.now() - grace) await forget(name);
  }
  return have;
}

/**
 * Opens a record's file, after asking the user where the browser wants that: call
 * it while a click is being handled.
 */
export async function open(record: string, name: string): Promise<{ file: File; handle: FileSystemFileHandle }> {
  const handle = (await get(record))?.handle;
  if (!handle) throw new NotOpened(ownError("file_unreadable", `the browser has kept no handle of "${name}"; choose the file again`, true));
  // Chromium's; files of the origin's own file system need no permission.
  const asking = handle as { requestPermission?(o: { mode: "read" }): Promise<PermissionState> };
  const state = await asking.requestPermission?.({ mode: "read" }).catch((cause: unknown) => {
    throw refused(name, cause);
  });
  if (state !== undefined && state !== "granted") throw refused(name);
  return { file: await handle.getFile(), handle };
}

/** Carries an error to the upload. */
class NotOpened extends Error {
  constructor(readonly info: ErrorInfo) {
    super(info.message);
  }
}

const refused = (name: string, cause?: unknown): NotOpened =>
  new NotOpened(ownError("permission_denied", `the browser may not read "${name}"; allow it, or choose the file again`, true, cause));

const get = (record: string): Promise<Kept | undefined> => inStore<Kept | undefined>("readonly", (store) => store.get(record));

async function inStore<T>(mode: IDBTransactionMode, what: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(database, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(table);
  const db = await done(opening);
  try {
    return await done(what(db.transaction(table, mode).objectStore(table)));
  } finally {
    db.close();
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
