/**
 * Checks of what callers pass to the signer: what would be signed in one way and
 * sent, or read by a store, in another. They are here and not in wasm/sigv4, for
 * a regular expression costs a page a tenth of such code in the module.
 *
 * A wrong argument throws a TypeError that begins with its name; nothing is
 * converted, and nothing that is there is ignored.
 */

/** A value for a message. Secrets are never given to it. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return String(value);
  return Array.isArray(value) ? "an array" : typeof value === "function" ? "a function" : "an object";
}

export function wrong(field: string, what: string, give: string): never {
  throw new TypeError(`${field}: ${what}; give ${give}`);
}

/** Text, which may be empty; JavaScript's may hold halves of surrogate pairs, which UTF-8 cannot. */
export function text(value: unknown, field: string, give: string, secret = false): string {
  if (typeof value !== "string") wrong(field, secret && value !== undefined ? "not a string" : show(value), give);
  if (/\p{Surrogate}/u.test(value)) {
    wrong(field, secret ? "not text" : `${show(value)} holds half of a surrogate pair`, give);
  }
  return value;
}

/** Text of a form. */
export function like(value: unknown, form: RegExp, field: string, give: string, secret = false): string {
  const s = text(value, field, give, secret);
  // Some stores take an upload ID for a path; browsers resolve dots in keys.
  if (!form.test(s) || (!secret && dots.test(s))) wrong(field, secret ? "not as it was issued" : show(s), give);
  return s;
}

const dots = /(^|\/)\.\.?(\/|$)/;

/** An object with no members but the named ones. */
export function members(value: unknown, field: string, names: string[]): void {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    wrong(field, show(value), `an object with ${names.join(", ")}`);
  }
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) wrong(`${field}.${name}`, "unknown", `only ${names.join(", ")}`);
  }
}

/** A whole number within bounds. */
export function whole(value: unknown, field: string, least: number, most: number, give: string): void {
  const n = Number.isInteger(value) ? (value as number) : NaN;
  if (!(n >= least && n <= most)) wrong(field, show(value), give);
}

/** A URL that means what it says: parsers drop some characters, and resolve "." and "..". */
export function address(value: unknown, field: string, base?: string): URL {
  const give = 'a URL, such as "https://s3.eu-west-1.amazonaws.com/bucket/key"';
  if (value instanceof URL) value = value.href;
  const s = text(value, field, give);
  if (/[\p{Cc}\\]|^ | $/u.test(s)) {
    wrong(field, `${show(s)} holds a control character, a backslash or a space at its end`, give);
  }
  const path = s.replace(/[?#].*/s, "").replace(/%2e/gi, ".");
  if (dots.test(path)) wrong(field, `${show(s)} has a "." or ".." segment`, "one without");
  let u: URL;
  try {
    u = new URL(s, base);
  } catch {
    wrong(field, show(s), give);
  }
  // Chromium makes a host of "a b".
  if (!/^https?:$/.test(u.protocol) || u.host.includes("%")) wrong(field, show(s), "one of http or https");
  if (u.username || u.password) wrong(field, "has a user or a password", "one without");
  if (s.includes("#")) wrong(field, `${show(s)} has a fragment`, "one without; # in a key is %23");
  return u;
}

/** Percent-decoded text of a URL. */
export function decoded(encoded: string, field: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new TypeError(`${field}: ${show(encoded)} has a % that starts no UTF-8 escape; write it as %25`);
  }
}

/** The query's fields, without those by which a URL is signed. */
export function query(u: URL): [string, string][] {
  const fields = [...u.searchParams];
  for (const [name, value] of fields) {
    const field = show(`${name}=${value}`);
    if (/\p{Cc}/u.test(name + value)) wrong("url", `${field} holds a control character`, "a query without");
    if (/^x-amz-(algorithm|credential|date|expires|signedheaders|security-token|signature)$/i.test(name)) {
      wrong("url", `${field} is of a signature`, "the URL without one");
    }
  }
  return fields;
}

/** Headers as a plain object of strings: a Headers, a Map and an array would look empty. */
export function headerList(value: unknown, own: RegExp): [string, string][] {
  const give = 'a plain object of strings, such as {"content-type": "image/png"}';
  const proto: unknown = value !== null && typeof value === "object" ? Object.getPrototypeOf(value) : undefined;
  // Object.prototype is another one in another frame.
  if (proto === undefined || (proto !== null && Object.getPrototypeOf(proto) !== null)) {
    wrong("headers", show(value), give);
  }
  const seen = new Set<string>();
  return Object.entries(value as object).map(([name, v]) => {
    const lower = like(name, /^[\w!#$%&'*+.^`|~-]+$/, "headers", "names that are tokens (RFC 9110)").toLowerCase();
    if (own.test(name)) wrong("headers", `${show(name)} is set by signing`, "the others only");
    if (seen.has(lower)) wrong("headers", `${show(name)} is there in two spellings`, "it once");
    seen.add(lower);
    // botocore, aws-c-auth, minio-go and some stores fold tabs and Unicode's spaces, other signers and stores do
    // not; browsers send what is not ASCII as Latin-1. Runs of spaces all sides fold.
    if (!/^[ -~]*$/.test(text(v, `headers.${name}`, "a string"))) wrong(`headers.${name}`, show(v), "printable ASCII");
    return [name, v as string];
  });
}
