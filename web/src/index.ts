/**
 * chunksign: direct uploads from the browser to S3, signed in the page by Go
 * compiled to WebAssembly.
 *
 * {@link Uploader} sends files; {@link createSigner} only signs.
 *
 * @module
 */

export { Uploader, type UploaderEventMap, type UploaderOptions, type UploadOptions } from "./uploader.ts";
export type { Upload, UploadEventMap } from "./upload.ts";
export type { PendingUpload, UploadedObject, UploadProgress, UploadState, UploadWarning } from "./messages.ts";
export { UploadError } from "./errors.ts";
export {
  createSigner,
  type BodyBytes,
  type ChunkToSign,
  type Credentials,
  type RequestToSign,
  type SignedRequest,
  type Signer,
  type SignerOptions,
} from "./signer.ts";
