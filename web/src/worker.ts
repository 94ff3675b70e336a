/** The dedicated worker: everything but painting happens here. */

import { Core } from "./core.ts";
import type { ToPage, ToWorker } from "./messages.ts";
import { Driver } from "./worker/driver.ts";
import { Records } from "./worker/records.ts";
import { Tokens } from "./worker/server.ts";

declare const self: DedicatedWorkerGlobalScope;

const say = (message: ToPage): void => self.postMessage(message);
const tokens = new Tokens((ask, id) => say({ t: "token", ask, id }));
const records = new Records((message) => say({ t: "warning", message }));

// Messages wait for the module in the order in which they came.
const driver = Core.load(new URL(CORE_WASM, import.meta.url)).then((core) => new Driver(core, records, tokens, say));
let turn: Promise<unknown> = driver;

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.t === "token") {
    tokens.given(data.ask, data.token, data.error);
    return;
  }
  turn = turn.then(
    async () => (await driver).hear(data),
    (e: unknown) => failed(data, e),
  );
});

function failed(m: ToWorker, e: unknown): void {
  const message = `the signing module could not be loaded: ${e instanceof Error ? e.message : String(e)}`;
  if (m.t === "start" || m.t === "discard") {
    say({ t: "failed", id: m.id, error: { code: "module_died", message, status: 0, requestId: "", retryable: true, part: 0 } });
  } else if (m.t === "pending") {
    say({ t: "pending", ask: m.ask, list: [] });
  }
  throw e;
}
