/**
 * The demo page: drop files, watch them go to the bucket, pause, close the tab,
 * come back, go on.
 *
 * This file wires it. The way through: drop.ts and the buttons give files, list.ts
 * starts an Upload for each and holds the rows (row.ts), painter.ts decides when
 * what has changed is drawn, words.ts says it. unfinished.ts shows what an earlier
 * visit left, destinations.ts what the server lets this one do.
 *
 * @module
 */

import { Uploader, type UploadWarning } from "chunksign";
import { type Destination, limitsInWords, loadDestinations, NoDestinations, refusal } from "./destinations.ts";
import { acceptDrops } from "./drop.ts";
import { UploadList } from "./list.ts";
import { Announcer, need, setText } from "./page.ts";
import { inSlices } from "./painter.ts";
import { trace } from "./row.ts";
import { pick, type Source, sourceOf } from "./source.ts";
import { Unfinished } from "./unfinished.ts";
import { explain, warn } from "./words.ts";

/** Milliseconds that the page waits for the journal before it counts as loaded. */
const patience = 5000;

const announcer = new Announcer(need("#spoken"));
const files = need<HTMLInputElement>("#files");
const choose = need<HTMLButtonElement>("#choose");
/** Where files go; undefined until the server has said so. */
let target: { destination: Destination; uploader: Uploader } | undefined;

function current(): NonNullable<typeof target> {
  if (!target) throw new Error("the server has not said yet where files may go");
  return target;
}

const list: UploadList = new UploadList({
  uploader: () => current().uploader,
  refusal: (file) => refusal(file, current().destination),
  pendingOf: (file) => unfinished.takeCurrent(file),
  dismissed: () => void refreshUnfinished(),
  announcer,
});
const unfinished: Unfinished = new Unfinished({
  uploader: () => current().uploader,
  shown: (name, size) => list.has(name, size),
  goOn: (file, upload) => list.goOn(file, upload),
  announcer,
});

/** Takes files: one that an interrupted upload waits for goes on with it. */
async function take(chosen: Iterable<Source>): Promise<void> {
  const { uploader } = current();
  await inSlices(chosen, (file) => {
    const pending = unfinished.take(file);
    if (pending) list.goOn(file, uploader.resume(pending, file.from));
    else list.add(file);
  });
}

choose.addEventListener("click", () => void (async () => {
  const picked = await pick(current().destination.contentTypes);
  if (picked) await take(picked);
  else files.click();
})());
files.addEventListener("change", () => {
  const chosen = [...(files.files ?? [])];
  files.value = ""; // so that the same file may be chosen again
  if (target) void take(chosen.map((f) => sourceOf(f)));
});
acceptDrops({
  ready: () => target !== undefined,
  take: (dropped) => void (async () => {
    for await (const some of dropped) await take(some);
  })(),
  unreadable: (name) => showProblem(`“${name}” could not be read`, "You may lack the right to it, or it is gone. The rest is on its way.", "", "Close", hideProblem),
});
addEventListener("beforeunload", (e) => {
  if (list.busy) e.preventDefault();
});
async function refreshUnfinished(): Promise<void> {
  await unfinished.refresh();
}

const problem = need("#problem");

function showProblem(title: string, advice: string, detail: string, label: string, action: () => void): void {
  setText(need("#problem-title"), title);
  setText(need("#problem-advice"), advice);
  setText(need("#problem-trace"), detail);
  const button = need<HTMLButtonElement>("#problem-action");
  setText(button, label);
  button.onclick = action;
  problem.hidden = false;
}

function hideProblem(): void {
  problem.hidden = true;
}

/** Shows what stops no upload and should be known. */
function showNotice(warning: UploadWarning): void {
  const words = warn(warning);
  if (!words) return;
  setText(need("#notice-title"), words.title);
  setText(need("#notice-advice"), words.advice);
  setText(need("#notice-code"), words.toSet);
  need("#notice").hidden = false;
}
need("#notice-close").addEventListener("click", () => (need("#notice").hidden = true));

/** Asks the server where files may go; what it says decides what the page offers. */
async function begin(): Promise<void> {
  hideProblem();
  choose.disabled = true;
  let all: Destination[];
  try {
    all = await loadDestinations();
  } catch (e) {
    noServer(e);
    return;
  }
  const wanted = new URLSearchParams(location.search).get("destination") ?? "demo";
  const destination = all.find((d) => d.name === wanted);
  offer(all, destination);
  if (!destination) {
    const names = all.map((d) => `“${d.name}”`).join(", ");
    showProblem(`There is no destination “${wanted}” here`, names ? `Choose another one above: ${names}.` : "The server lets you upload nowhere. Ask who runs it.", "", "Ask again", () => void start());
    return;
  }
  const uploader = new Uploader({ destination: destination.name });
  uploader.addEventListener("pending", (e) => unfinished.show(e.detail));
  uploader.addEventListener("warning", (e) => showNotice(e.detail));
  target = { destination, uploader };
  choose.disabled = false;
  document.body.dataset["server"] = "ready";
  setText(need("#limits"), limitsInWords(destination));
  files.accept = destination.contentTypes.join(",");
  setText(need("#veil-words"), `Drop to upload to “${destination.name}”`);
  await Promise.race([refreshUnfinished(), new Promise((resolve) => setTimeout(resolve, patience))]);
}

function noServer(e: unknown): void {
  document.body.dataset["server"] = "unreachable";
  const error = e instanceof NoDestinations ? e : new NoDestinations(0, "network", "", String(e));
  const again = (): void => void start();
  if (error.status === 0) {
    showProblem("The upload server does not answer", "Check that it is running (go run ./server) and that you are online, then try again. Nothing is lost: unfinished uploads stay as they are.", "", "Try again", again);
    return;
  }
  const { what, advice } = explain({ ...error, code: error.code, message: error.message, retryable: true });
  showProblem(what, advice, trace({ ...error, code: error.code, message: error.message, retryable: true, part: 0 }), "Try again", again);
}

/** Fills the choice of destinations, which shows only where there is one. */
function offer(all: Destination[], chosen: Destination | undefined): void {
  const select = need<HTMLSelectElement>("#destination");
  select.replaceChildren(...all.map((d) => new Option(d.name, d.name, false, d === chosen)));
  if (!chosen) {
    const none = new Option("Choose one", "", true, true);
    none.disabled = true;
    select.prepend(none);
  }
  need("#where").hidden = all.length < (chosen ? 2 : 1);
  select.onchange = () => {
    const url = new URL(location.href);
    url.searchParams.set("destination", select.value);
    location.assign(url);
  };
}

async function start(): Promise<void> {
  await begin();
  document.body.dataset["ready"] = "true";
}

addEventListener("online", () => {
  if (!target) void start();
});
void start();
