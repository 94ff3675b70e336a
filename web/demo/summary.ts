import { percent, rate, timeLeft } from "./format.ts";
import { need, setBar, setText } from "./page.ts";
import type { Row } from "./row.ts";

/** What all rows come to. Bytes are of files that are done or may still be. */
export interface Totals {
  files: number;
  done: number;
  failed: number;
  cancelled: number;
  /** Rows that Pause all stops, and those that Resume all moves. */
  pausable: number;
  resumable: number;
  bytes: number;
  sent: number;
  confirmed: number;
  /** Bytes a second. */
  speed: number;
}

export function totalsOf(rows: Iterable<Row>): Totals {
  const t: Totals = { files: 0, done: 0, failed: 0, cancelled: 0, pausable: 0, resumable: 0, bytes: 0, sent: 0, confirmed: 0, speed: 0 };
  for (const row of rows) {
    t.files++;
    if (row.state === "failed") t.failed++;
    else if (row.state === "cancelled") t.cancelled++;
    else {
      const { size } = row.file;
      const done = row.state === "done";
      t.bytes += size;
      t.sent += done ? size : (row.progress?.sent ?? 0);
      t.confirmed += done ? size : (row.progress?.confirmed ?? 0);
      if (done) t.done++;
      else if (row.state === "uploading") t.speed += row.progress?.speed ?? 0;
      if (row.pausable) t.pausable++;
      if (row.resumable) t.resumable++;
    }
  }
  return t;
}

/** The line above the list. */
export class Summary {
  private readonly section = need("#uploads");
  private readonly words = need("#summary");
  private readonly bar = need("#overall");
  private readonly pauseAll = need<HTMLButtonElement>("#pause-all");
  private readonly clear = need<HTMLButtonElement>("#clear");
  private readonly title = document.title;

  draw(t: Totals): void {
    this.section.hidden = t.files === 0;
    document.body.toggleAttribute("data-used", t.files > 0);
    const underWay = t.files - t.done - t.failed - t.cancelled;
    const share = t.bytes > 0 ? percent(t.sent, t.bytes) : 0;

    const words = [`${t.done} of ${t.files} done`];
    if (t.failed > 0) words.push(`${t.failed} failed`);
    if (t.speed > 0) words.push(rate(t.speed), timeLeft((t.bytes - t.sent) / t.speed));
    else if (underWay > 0 && t.resumable === underWay) words.push("paused");
    setText(this.words, words.join(" · "));

    this.bar.hidden = underWay === 0 || t.files === 1;
    setBar(this.bar, t.bytes > 0 ? t.sent / t.bytes : 0, t.bytes > 0 ? t.confirmed / t.bytes : 0);
    if (this.bar.getAttribute("aria-valuenow") !== String(share)) this.bar.setAttribute("aria-valuenow", String(share));

    const action = t.pausable > 0 || t.resumable === 0 ? "pause-all" : "resume-all";
    this.pauseAll.dataset["action"] = action;
    setText(this.pauseAll, action === "pause-all" ? "Pause all" : "Resume all");
    this.pauseAll.hidden = t.pausable + t.resumable === 0;
    this.clear.hidden = t.done + t.cancelled === 0;

    const title = underWay > 0 ? `${share}% · ${this.title}` : this.title;
    if (document.title !== title) document.title = title;
  }
}
