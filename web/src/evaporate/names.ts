/** Texts, as EvaporateJS 2.1.4 writes them. */

import type { UploadedObject } from "chunksign";
import type { EvaporateReply } from "./options.ts";

/** An object's name as it stands in a URL: what `complete` and `nameChanged` are told. */
export function encodedName(name: string): string {
  const strict = (c: string): string => `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
  return name.split("/").map((part) => encodeURIComponent(part).replace(/[!'()*]/g, strict)).join("/");
}

/** Undoes encodedName; of a name that was not encoded, the name. */
export function decodedName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

export function readableSize(size: number): string {
  const units = ["B", "Kb", "Mb", "Gb", "Tb", "Pb", "Eb", "Zb", "Yb"];
  let i = 0;
  for (; size >= 1024; i++) size /= 1024;
  return `${size.toFixed(2).replace(".00", "")} ${units[i]}`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const xml = (text: string): string => text.replace(/[&<>"]/g, (c) => entities[c]!);

/** In place of the reply to CompleteMultipartUpload, which the page does not see. */
export function reply(o: UploadedObject): EvaporateReply {
  const headers: Record<string, string> = { etag: o.etag, "x-amz-version-id": o.versionId };
  const quoted = `"${o.etag.replace(/"/g, "")}"`;
  const responseText =
    `<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `<Location>${xml(o.url)}</Location><Bucket>${xml(o.bucket)}</Bucket><Key>${xml(o.key)}</Key><ETag>${xml(quoted)}</ETag></CompleteMultipartUploadResult>`;
  return { readyState: 4, status: 200, responseText, response: responseText, getResponseHeader: (name) => headers[name.toLowerCase()] || null };
}
