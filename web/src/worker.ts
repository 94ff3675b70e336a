/** The dedicated worker: everything but painting happens here. */

import { Core } from "./core.ts";
import type { ToPage, ToWorker } from "./messages.ts";
import { Driver } from "./worker/driver.ts";
import { Records } from "./worker/records.ts";
import { Tokens } from "./worker/server.ts";

declare const self: DedicatedWorkerGlobalScope;

const say = (message: ToPage): void => self.postMessage(message);
const tokens = new Tokens((ask, token) => say({ t: "token", ask, token }));
const records = new Records((warning) => say({ t: "warning", id: 0, warning }));

const driver = Core.load(new URL(CORE_WASM, import.meta.url)).then((core) => new Driver(core, records, tokens, say));
driver.catch((e: unknown) => say({ t: "died", why: `the signing module could not be loaded: ${e instanceof Error ? e.message : String(e)}` }));

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.t === "token") tokens.given(data.ask, data.token, data.error);
  else if (data.t === "ping") say({ t: "alive" });
  // Messages wait for the module, and stay in the order in which they came.
  else void driver.then((d) => d.hear(data), () => undefined);
});
say({ t: "alive" });
