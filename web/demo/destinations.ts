import { bytes } from "./format.ts";

/** Where files may go, and which: an entry of GET /v1/destinations. */
export interface Destination {
  readonly name: string;
  /** Such as "image/*" or "application/pdf"; empty for any. */
  readonly contentTypes: readonly string[];
  /** Bytes. */
  readonly minSize: number;
  readonly maxSize: number;
}

/** Why the list did not come. `status` is 0 where nothing answered. */
export class NoDestinations extends Error {
  override readonly name = "NoDestinations";
  constructor(readonly status: number, readonly code: string, readonly requestId: string, message: string) {
    super(message);
  }
}

/** Milliseconds to wait for the server. */
const patience = 10_000;

/**
 * The destinations that the server has for this user.
 *
 * @throws NoDestinations
 */
export async function loadDestinations(): Promise<Destination[]> {
  let response: Response;
  try {
    response = await fetch("/v1/destinations", { cache: "no-store", signal: AbortSignal.timeout(patience) });
  } catch {
    throw new NoDestinations(0, "network", "", "no reply");
  }
  let body: Record<string, unknown>;
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    throw new NoDestinations(response.status, "http_error", "", `HTTP ${response.status}, and not the server's JSON`);
  }
  if (response.ok && Array.isArray(body["destinations"])) return body["destinations"] as Destination[];
  const text = (name: string): string => (typeof body[name] === "string" ? body[name] : "");
  throw new NoDestinations(response.status, text("code") || "http_error", text("requestId"), text("detail") || text("title"));
}

/** A file that the server would refuse, refused before it is asked. The codes are the server's. */
export interface Refusal {
  readonly code: "file_too_large" | "file_too_small" | "content_type_not_allowed";
  readonly message: string;
}

/** Why the destination does not take the file; undefined where it does. */
export function refusal(file: Pick<File, "size" | "type">, d: Destination): Refusal | undefined {
  if (file.size > d.maxSize) {
    return { code: "file_too_large", message: `It has ${bytes(file.size)}; “${d.name}” takes files up to ${bytes(d.maxSize)}.` };
  }
  if (file.size < d.minSize) {
    return { code: "file_too_small", message: `It has ${bytes(file.size)}; “${d.name}” takes files from ${bytes(d.minSize)} up.` };
  }
  const type = file.type || "application/octet-stream";
  if (!takesType(d.contentTypes, type)) {
    return { code: "content_type_not_allowed", message: `It is ${file.type || "of no known type"}; “${d.name}” takes ${d.contentTypes.map((t) => families[t] ?? t).join(", ")}.` };
  }
  return undefined;
}

function takesType(globs: readonly string[], type: string): boolean {
  if (globs.length === 0) return true;
  return globs.some((glob) => glob === "*/*" || glob === type || (glob.endsWith("/*") && type.startsWith(glob.slice(0, -1))));
}

/** Families of types as people call them. */
const families: Record<string, string> = { "image/*": "images", "video/*": "videos", "audio/*": "audio", "text/*": "text", "*/*": "any type" };

/** The limits in one line. */
export function limitsInWords(d: Destination): string {
  const types = d.contentTypes.length > 0 ? d.contentTypes.map((t) => families[t] ?? t).join(", ") : "any type";
  const least = d.minSize > 1 ? `from ${bytes(d.minSize)} ` : "";
  return `${types.charAt(0).toUpperCase()}${types.slice(1)}, ${least}up to ${bytes(d.maxSize)} each`;
}
