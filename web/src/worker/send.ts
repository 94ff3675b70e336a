import type { Answer, Send } from "./engine.ts";

/** WebKit reports every 8 KiB; the engine needs to hear less often. */
const reportEvery = 100; // ms

/**
 * Sends a signed request and says what comes of it; the returned function ends
 * it. XHR, for only XHR tells how many bytes of a body have gone out.
 */
export function send(command: Send, file: Blob | null, hear: (ev: Answer) => void): () => void {
  const { id, method, url, headers, body, offset, size, part } = command;
  const xhr = new XMLHttpRequest();
  xhr.open(method, url);
  xhr.responseType = "arraybuffer";
  for (const [name, value] of headers) xhr.setRequestHeader(name, value);
  if (part > 0) {
    let last = 0;
    xhr.upload.addEventListener("progress", (e) => {
      const now = performance.now();
      if (now - last < reportEvery && e.loaded < size) return;
      last = now;
      hear({ e: "sent", id, bytes: Math.min(e.loaded, size) });
    });
  }
  xhr.addEventListener("load", () => {
    const header = (name: string): string => xhr.getResponseHeader(name) ?? "";
    hear({
      e: "replied", id, status: xhr.status,
      etag: header("ETag"), requestId: header("x-amz-request-id"),
      body: new Uint8Array((xhr.response as ArrayBuffer | null) ?? new ArrayBuffer(0)),
    });
  });
  xhr.addEventListener("error", () => hear({ e: "lost", id }));
  // The slice, never a buffer: the browser streams it from the disk.
  xhr.send(part > 0 ? (file as Blob).slice(offset, offset + size) : body.length > 0 ? body : null);
  return () => xhr.abort();
}
