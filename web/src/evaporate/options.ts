/** The options and callbacks of EvaporateJS 2.1.4, and which of them still mean something. */

import type { Evaporate } from "../evaporate.ts";

/** What a file is at: EvaporateJS's numbers. */
export const status = { pending: 0, evaporating: 2, complete: 3, paused: 4, canceled: 5, aborted: 20, pausing: 30 } as const;

/** Values that EvaporateJS takes as they are or from a function, anew for each use. */
export type Values = Record<string, string | number | boolean | (() => string | number | boolean)>;

/** What `progress` and `complete` tell. */
export interface EvaporateStats {
  /** Bytes a second, smoothed; 0 while unknown. */
  speed: number;
  /** The same for people: "1.50 Mb"; "" before the first byte. */
  readableSpeed: string;
  /** Bytes since the last call. */
  loaded: number;
  /** Bytes that the store has, or that are on their way. */
  totalUploaded: number;
  remainingSize: number;
  /** -1 while unknown. */
  secondsLeft: number;
  fileSize: number;
}

/** What stands in for the XMLHttpRequest of CompleteMultipartUpload. */
export interface EvaporateReply {
  readonly readyState: 4;
  readonly status: 200;
  /** CompleteMultipartUpload's result, with Location, Bucket, Key and ETag. */
  readonly responseText: string;
  readonly response: string;
  /** ETag and x-amz-version-id; null for any other. */
  getResponseHeader(name: string): string | null;
}

/** Options of `Evaporate.create`. */
export interface EvaporateConfig {
  /** The chunksign server. By default what stands before "/evaporate/sign" in signerUrl, else the page's origin. */
  endpoint?: string | URL;
  /** The destination's name. By default that of the grant, for which the page's signer is asked. */
  destination?: string;

  bucket?: string;
  signerUrl?: string;
  signParams?: Values;
  signHeaders?: Values;
  signResponseHandler?: ((reply: string, stringToSign: string, datetime: string) => Promise<string>) | null;
  customAuthMethod?: (
    signParams: Record<string, unknown>,
    signHeaders: Record<string, unknown>,
    stringToSign: string,
    datetime: string,
    canonicalRequest: string,
  ) => Promise<string>;
  xhrWithCredentials?: boolean;
  maxConcurrentParts?: number;
  partSize?: number;
  maxFileSize?: number | null;
  progressIntervalMS?: number;
  /** Seconds between two requests to the signer are its powers, at most maxRetryBackoffSecs. */
  retryBackoffPower?: number;
  maxRetryBackoffSecs?: number;
  encodeFilename?: boolean;
  onlyRetryForSameFileName?: boolean;
  logging?: boolean;
  evaporateChanged?: (evaporate: Evaporate, evaporatingCount: number) => void;
  /** Options that have no meaning here are taken, and said so. */
  [other: string]: unknown;
}

/** What `add` takes. */
export interface EvaporateFile {
  name: string;
  file: File | Blob;
  contentType?: string;
  beforeSigner?: (xhr: XMLHttpRequest, url: string) => void;
  started?: (id: string) => void;
  uploadInitiated?: (uploadId: string) => void;
  progress?: (ratio: number, stats: EvaporateStats) => void;
  complete?: (xhr: EvaporateReply, awsKey: string, stats: EvaporateStats) => void;
  cancelled?: () => void;
  pausing?: () => void;
  paused?: () => void;
  resumed?: () => void;
  nameChanged?: (awsKey: string) => void;
  info?: (...words: unknown[]) => void;
  warn?: (...words: unknown[]) => void;
  error?: (message: string) => void;
  [other: string]: unknown;
}

/** Options that `add`'s second argument does not change. */
const immutable = [
  "maxConcurrentParts", "logging", "cloudfront", "encodeFilename", "computeContentMd5", "allowS3ExistenceOptimization", "onlyRetryForSameFileName",
  "timeUrl", "cryptoMd5Method", "cryptoHexEncodedHash256", "awsRegion", "awsSignatureVersion", "evaporateChanged",
];

export const defaults = {
  bucket: "",
  logging: true,
  maxConcurrentParts: 5,
  progressIntervalMS: 1000,
  retryBackoffPower: 2,
  maxRetryBackoffSecs: 300,
  encodeFilename: true,
  onlyRetryForSameFileName: false,
  signParams: {},
  signHeaders: {},
  xhrWithCredentials: false,
  maxFileSize: null,
  evaporateChanged: (): void => undefined,
} satisfies EvaporateConfig;

export type Config = EvaporateConfig & typeof defaults;

export function withOverrides(config: Config, overrides: EvaporateConfig = {}): Config {
  const allowed = Object.entries(overrides).filter(([name, value]) => !immutable.includes(name) && value !== undefined);
  return { ...config, ...Object.fromEntries(allowed) };
}

const functions = ["customAuthMethod", "signResponseHandler", "evaporateChanged"];
const numbers = ["maxConcurrentParts", "partSize", "maxFileSize", "progressIntervalMS", "retryBackoffPower", "maxRetryBackoffSecs"];
const tables = ["signParams", "signHeaders"];

/** What is wrong with the options, in 2.1.4's words where it has any; what is not needed any more is not asked for. */
export function violation(config: Config): string | undefined {
  if (!config.signerUrl && typeof config.customAuthMethod !== "function" && !config.destination) {
    return "Option signerUrl is required unless customAuthMethod is present.";
  }
  if (!config.bucket) return "The AWS 'bucket' option must be present.";
  const wrong = (names: string[], type: string, what: string): string | undefined => {
    const name = names.find((n) => config[n] !== undefined && config[n] !== null && typeof config[n] !== type);
    return name && `Option ${name} is ${shown(config[name])}; it must be ${what}.`;
  };
  return (
    wrong(["bucket", "signerUrl", "destination"], "string", "a string") ?? wrong(functions, "function", "a function") ??
    wrong(numbers, "number", "a number") ?? wrong(tables, "object", "an object") ?? wrongURL(config)
  );
}

/** A wrong value, for a message: a scalar as it is, else its type. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" ? String(value) : `of type ${typeof value}`;
}

function wrongURL(config: Config): string | undefined {
  for (const name of ["signerUrl", "endpoint"] as const) {
    try {
      if (config[name]) new URL(config[name], location.href);
    } catch {
      return `Option ${name} is ${shown(config[name])}; it must be a URL.`;
    }
  }
  return undefined;
}

const leaveOut = "leave it out: ";
const theServers = leaveOut + "the server says where the bytes go";
const checksums = leaveOut + "every part is signed and checked with its SHA-256";
const clock = leaveOut + "the server's clock is taken";
const stored = "leave it out: the destination's settings (acl, cache_control, metadata, …) say what objects are stored with";

/** Options that have no meaning any more: what to do. */
export const meaningless: Record<string, string> = {
  readableStreams: "give a File or a Blob: it is read in slices, a part at a time",
  readableStreamPartMethod: "give a File or a Blob: it is read in slices, a part at a time",
  cloudfront: theServers + "; set the store's endpoint there",
  s3Acceleration: theServers + "; set the store's endpoint there",
  aws_url: theServers,
  awsRegion: theServers,
  aws_key: leaveOut + "the server hands out credentials for each upload",
  awsSignatureVersion: leaveOut + "requests are signed with Signature Version 4",
  sendCanonicalRequestToSignerUrl: leaveOut + "the page signs its requests itself",
  computeContentMd5: checksums,
  cryptoMd5Method: checksums,
  cryptoHexEncodedHash256: checksums,
  allowS3ExistenceOptimization: "set existence_optimization at the destination; it works where its keys have no {uuid}",
  s3FileCacheHoursAgo: leaveOut + "unfinished uploads can go on until shortly before their grant ends (grant_duration)",
  mockLocalStorage: leaveOut + "unfinished uploads are kept in IndexedDB, and nothing in localStorage",
  timeUrl: clock,
  localTimeOffset: clock,
  abortCompletionThrottlingMs: leaveOut + "EvaporateJS 2.1.4 does not read it either",
  xAmzHeadersAtInitiate: stored,
  notSignedHeadersAtInitiate: stored,
  xAmzHeadersCommon: stored,
  xAmzHeadersAtUpload: stored,
  xAmzHeadersAtComplete: stored,
};

/** Values that ask for nothing. */
function isOff(name: string, value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0) return true;
  if (typeof value !== "object") return false;
  // Pages whose uploads were signed by a session have these there still; the engine sends its own now.
  const owns = ["x-amz-security-token", "if-none-match"];
  return name.toLowerCase().includes("headers") && Object.keys(value).every((header) => owns.includes(header.toLowerCase()));
}

const said = new Set<string>();

/** Says of each option without a meaning, once a page, what to do about it. */
export function sayMeaningless(options: Record<string, unknown>, logging: boolean, warn?: (...words: unknown[]) => void): void {
  for (const [name, what] of Object.entries(meaningless)) if (!isOff(name, options[name])) sayOnce(name, what, logging, warn);
}

export function sayOnce(name: string, what: string, logging: boolean, warn?: (...words: unknown[]) => void): void {
  if (said.has(name)) return;
  said.add(name);
  if (logging) console.warn(`chunksign/evaporate: ${name} has no meaning as it is; ${what}`);
  warn?.("Option ", name, what);
}

/** What a function of the page's gives counts at the moment of its use. */
export function evaluated(values: Values = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, v]) => [name, String(typeof v === "function" ? v() : v)]));
}
