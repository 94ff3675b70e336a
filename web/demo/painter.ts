/** Milliseconds that one task may take here; 50 would be a long task, and style and layout come on top. */
const budget = 8;
/** Milliseconds between two paintings of progress. */
const interval = 100;

/** Lets the browser answer clicks and paint. A message is not clamped to 4 ms as nested timers are. */
export function yieldToBrowser(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Does something with each of many items without holding the page up. */
export async function inSlices<T>(items: Iterable<T>, each: (item: T) => void): Promise<void> {
  let until = performance.now() + budget;
  for (const item of items) {
    each(item);
    if (performance.now() < until) continue;
    await yieldToBrowser();
    until = performance.now() + budget;
  }
}

/**
 * Draws what has changed, in short tasks: changes of state at once, progress at
 * most ten times a second. Timers, not animation frames: those stop in hidden
 * tabs, whose titles show how far the uploads are.
 */
export class Painter<T extends { draw(): void }> {
  private readonly changed = new Set<T>();
  private timer = 0;
  private due = Infinity;
  private last = 0;

  /** @param after runs when nothing is left to draw. */
  constructor(private readonly after: () => void) {}

  /** Has the item drawn soon: at once, or with the next round of progress. */
  mark(item: T | null, urgent: boolean): void {
    if (item) this.changed.add(item);
    const now = performance.now();
    const due = urgent ? now : Math.max(now, this.last + interval);
    if (due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = window.setTimeout(() => this.paint(), due - now);
  }

  private paint(): void {
    this.due = Infinity;
    this.last = performance.now();
    for (const item of this.changed) {
      this.changed.delete(item);
      item.draw();
      if (performance.now() - this.last > budget) {
        this.mark(null, true);
        return;
      }
    }
    this.after();
  }
}
