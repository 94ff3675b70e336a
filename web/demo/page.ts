/** What the page's own HTML holds, and small things done to it. */

/** The element that index.html promises. */
export function need<T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T {
  const found = within.querySelector<T>(selector);
  if (!found) throw new Error(`index.html has no ${selector}`);
  return found;
}

/** A fresh copy of a template's content. */
export function copyOf(template: string): DocumentFragment {
  return document.importNode(need<HTMLTemplateElement>(`#${template}`).content, true);
}

/** Sets an element's text, and touches nothing where it says that already. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Points an icon at another symbol of the page. */
export function setIcon(icon: Element, symbol: string): void {
  need("use", icon).setAttribute("href", `#${symbol}`);
}

/** Fills a bar; both shares are from 0 to 1. Transforms need no layout. */
export function setBar(bar: Element, sent: number, confirmed: number): void {
  const [under, over] = bar.children as unknown as [HTMLElement, HTMLElement];
  under.style.transform = `scaleX(${sent.toFixed(4)})`;
  over.style.transform = `scaleX(${confirmed.toFixed(4)})`;
}

/** Puts text on the clipboard; false where the browser does not let it. */
export async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Over plain http there is no navigator.clipboard; the old way still works.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    const focused = document.activeElement;
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return copied;
  }
}

/** Says changes to people who listen: of each file the last one, in one sentence what comes together. */
export class Announcer {
  private readonly heard = new Map<object, { what: string; name: string }>();
  private timer = 0;

  constructor(private readonly region: Element) {}

  /**
   * @param what completes both "holiday.mov: …" and "12 files: …".
   * @param of tells files of the same name apart.
   */
  say(what: string, name: string, of: object): void {
    this.heard.delete(of); // the last comes last
    this.heard.set(of, { what, name });
    this.timer ||= window.setTimeout(() => this.speak(), 400);
  }

  private speak(): void {
    this.timer = 0;
    const names = new Map<string, string[]>();
    for (const { what, name } of this.heard.values()) {
      const others = names.get(what);
      if (others) others.push(name);
      else names.set(what, [name]);
    }
    this.heard.clear();
    this.region.textContent = [...names].map(([what, of]) => `${of.length === 1 ? of[0] : `${of.length} files`}: ${what}.`).join(" ");
  }
}
