/**
 * EvaporateJS 2.1.4's own 249 tests, by file and title: each is either met by a test of ours, which says the same
 * of the shim with a real store, or has a row in docs/migrate.md ("EvaporateJS's own tests") that says why it is not.
 *
 * @typedef {{ of: RegExp, by: string } | { of: RegExp, row: string }} Entry
 */

const signed = "strings to sign and signed headers";
const address = "the store's address";
const md5 = "MD5 digests, and options that give hash functions";
const order = "the requests, and their order";
const headers = "`x-amz-` headers of the page's";
const broken = "replies of a fake store that refuses parts, lists or aborts";
const pages = "more than 1,000 parts";
const storage = "localStorage";
const clock = "`timeUrl` and `localTimeOffset`";
const reuse = "an object that is there already (HEAD)";
const support = "browsers without File, Blob or FileReader";
const keys = "keys with `*`, or with spaces at their ends";

const options = "each option that is kept does what it did";
const custom = "customAuthMethod gets five arguments, signParams and signHeaders evaluated, and no signerUrl is asked";
const resumed = "after a reload it goes on with the parts that the store has, under the first name";
const gone = "an unfinished upload whose ${lost} the store has no longer is sent anew";
const ended = "cancel() of a file that has ended calls cancelled and resolves, as in 2.1.4; what is stored stays";
const cancelled = "cancel removes what the store has, and add rejects";
const pausedCancel = "an upload is cancelled while it is paused";
const uploads = "a page that has ${what} uploads";
const signer = "a signer that is throttled, broken, gone or not there yet ends nothing: it is asked until it answers";
const denied = "401 and 403 end an upload, and so does what this server says is wrong with the request";
const refused = "a page that names endpoint and destination needs no signer; what is refused is said";
const created = "create() rejects with a text, and never throws; the constructor says it in a field";
const added = "add() rejects with 2.1.4's texts where a file, its name or its size is wrong";
const two = "two files are added at once, each with its own id, bucket and outcome; evaporateChanged ends at 0";
const odd = "names with characters that keys may not have, and with spaces at their ends, are uploaded; nameChanged tells the key";
const paused = "pause waits for the parts under way, with force it drops them; resume goes on";

/** The first that matches `file: title` counts. @type {Entry[]} */
export const entries = [
  { of: /^s3-object-reuse: /, row: reuse },
  { of: /^aws_config: /, row: address },
  { of: /localStorage/, row: storage },
  { of: /cryptoMd5|cryptoHex|computeContentMd5/i, row: md5 },
  { of: /string to sign|default to V4|canonical_request|x-amz-content-sha256/, row: signed },
  { of: /xAmzHeaders/, row: headers },
  { of: /PUT.* 404|404 in V2|ABORT fails|listParts fails|non-404 error|cancel fails|PUT part 404s|should retry (Initiate|Complete|Upload)/, row: broken },
  { of: /correct (request )?order|correctly ordered/, row: order },
  { of: /getParts is truncated/, row: pages },
  { of: /timeUrl|localTimeOffset|local time offset/, row: clock },
  { of: /require browser/, row: support },
  { of: /asterisk|encode spaces/, row: keys },

  { of: /^auth: .*(customAuthMethod|Authorization Method)/, by: custom },
  { of: /^auth: /, by: options },
  { of: /^cached-parts: .*404/, by: gone },
  { of: /^cached-parts: .*getParts returns none/, by: gone },
  { of: /^cached-parts: /, by: resumed },
  { of: /^cancel-abort: .*paused/, by: pausedCancel },
  { of: /^cancel-abort: /, by: ended },
  { of: /retry get signature .*non-permission/, by: signer },
  { of: /retry get signature .*40[13]/, by: denied },
  { of: /retry customAuthMethod/, by: refused },
  { of: /^common-case: /, by: uploads },
  { of: /^pause-resume: /, by: paused },
  { of: /fail to add|require a name|#forceRetry/, by: added },
  { of: /maxFileSize/, by: added },
  { of: /should require|signerUrl is required|should work|supported instance/, by: created },
  { of: /#(add|cancel|pause|resume)$/, by: paused },
  { of: /parentheses|single quotes/, by: odd },
  { of: /two new uploads|custom bucket|correct config/, by: two },
  { of: /progress with stats|object key|initiate|completed XML|fileKeys|callback on successful/, by: options },
  { of: /cancel\(\) when non-existing/, by: paused },
  { of: /evaporateChanged/, by: pausedCancel },
  { of: /cancel/i, by: cancelled },
];

/** @param {string} name a test's file and title */
export const entryOf = (name) => entries.find(({ of }) => of.test(name));
