import type { UploadProgress } from "../messages.ts";

/** What the origin's tabs tell each other. */
export type Word =
  /** The journal has changed. */
  | { t: "changed" }
  /** How far is everybody? */
  | { t: "who" }
  | { t: "progress"; record: string; progress: UploadProgress };

/** Milliseconds between two reports of one upload to the other tabs. */
const reportEvery = 1000;

/** The other tabs, as this one speaks to them. Nothing depends on their hearing it. */
export class Tabs {
  private readonly channel = new BroadcastChannel("chunksign");
  private readonly latest = new Map<string, { progress: UploadProgress; at: number }>();

  /** @param hear gets what other tabs say, and what this one says of the journal. */
  constructor(private readonly hear: (word: Word) => void) {
    this.channel.onmessage = ({ data }: MessageEvent<Word>) => {
      if (data.t !== "who") return hear(data);
      for (const [record, { progress }] of this.latest) this.say({ t: "progress", record, progress });
    };
  }

  say(word: Word): void {
    this.channel.postMessage(word);
    if (word.t === "changed") this.hear(word);
  }

  /** Passes on how far an upload in the journal is, now and then. */
  report(record: string, progress: UploadProgress): void {
    const now = performance.now();
    const before = this.latest.get(record);
    const at = before && before.progress.state === progress.state && now - before.at < reportEvery ? before.at : now;
    this.latest.set(record, { progress, at });
    if (at === now) this.say({ t: "progress", record, progress });
  }

  ended(record: string): void {
    this.latest.delete(record);
    this.say({ t: "changed" });
  }
}
