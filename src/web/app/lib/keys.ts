// SPDX-License-Identifier: Apache-2.0
// Keys that work on every page: single ones, and "g" followed by a page's letter. They rest where
// somebody types, and where the browser has a meaning for them (with Ctrl, Alt, Meta).

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

// How long after "g" the letter may come.
const chordMs = 1500;

export class KeyReader {
  private chordFrom = Number.NEGATIVE_INFINITY;

  // What was asked for: a key ("?"), or a chord ("g e"); undefined if nothing yet.
  press(press: KeyPress, typing: boolean, nowMs: number): string | undefined {
    if (typing || press.ctrlKey || press.altKey || press.metaKey) {
      this.chordFrom = Number.NEGATIVE_INFINITY;
      return undefined;
    }
    if (nowMs - this.chordFrom <= chordMs) {
      this.chordFrom = Number.NEGATIVE_INFINITY;
      return `g ${press.key}`;
    }
    if (press.key === "g") {
      this.chordFrom = nowMs;
      return undefined;
    }
    return press.key;
  }
}

// What single keys do on the page that is open, beside those that work everywhere.
export const pageKeys = new Map<string, () => void>();
