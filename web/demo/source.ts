/** Files as the page takes them in: with the handle that lets an upload go on after a reload, where there is one. */

/** A file to upload, or one that the browser has to open again first. */
export interface Source {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly lastModified: number;
  /** What the Uploader takes; undefined where the browser keeps a handle for it. */
  readonly from: File | FileSystemFileHandle | undefined;
}

export function sourceOf(file: File, handle?: FileSystemFileHandle): Source {
  const { name, size, type, lastModified } = file;
  return { name, size, type, lastModified, from: handle ?? file };
}

/** What Chromium has and TypeScript does not know of. */
interface Pickers {
  showOpenFilePicker?(options: { multiple: boolean; types?: { accept: Record<string, string[]> }[] }): Promise<FileSystemFileHandle[]>;
}

/**
 * Asks the user for files by the picker that gives handles; undefined where
 * the browser has none, and the plain one is to be used.
 */
export async function pick(contentTypes: readonly string[]): Promise<Source[] | undefined> {
  const pickers = globalThis as Pickers;
  if (!pickers.showOpenFilePicker) return undefined;
  const types = contentTypes.length > 0 ? [{ accept: Object.fromEntries(contentTypes.map((t) => [t, []])) }] : undefined;
  try {
    const handles = await pickers.showOpenFilePicker({ multiple: true, ...(types && { types }) });
    return await Promise.all(handles.map(async (h) => sourceOf(await h.getFile(), h)));
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") return []; // the user closed it
    return undefined;
  }
}
