// SPDX-License-Identifier: Apache-2.0
// What was pushed of one query: up to which step nothing is missing, and the pieces themselves, as
// the range below them may be read anew while they come and then ends before them. Pieces may come in
// any order: those that a new stream is behind with come after newer ones.
import type { LivePoints } from "../lib/live";

// Longer than a range takes to be read: the server gives up a query before.
const keptS = 300;
// So many pieces may come after a hole before it is taken for lost.
const aheadMax = 3;

interface Stretch {
  fromS: number; // its first step
  toS: number; // its last
}

export class LiveTail {
  private reachedS: number;
  private ahead: Stretch[] = [];
  private kept: LivePoints[] = [];

  // `endS`: the last step of the range that was read.
  constructor(
    endS: number,
    private readonly stepS: number,
  ) {
    this.reachedS = endS;
  }

  // All steps up to this one are there: the server is to go on after it.
  get afterS(): number {
    return this.reachedS;
  }
  // Steps are missing that do not seem to come: the range is to be read again.
  get torn(): boolean {
    return this.ahead.length > aheadMax;
  }
  get pieces(): readonly LivePoints[] {
    return this.kept;
  }

  take(points: LivePoints): void {
    this.kept.push(points);
    const newestS = this.kept.reduce((newest, piece) => Math.max(newest, piece.toS), 0);
    this.kept = this.kept.filter((piece) => piece.toS >= newestS - keptS);
    this.reach(points);
  }

  // The range was read anew up to `endS`. What stays lies at least partly behind it.
  rebase(endS: number): void {
    this.reachedS = endS;
    this.ahead = [];
    this.kept = this.kept.filter((piece) => piece.toS > endS);
    for (const piece of this.kept) this.reach(piece);
  }

  private reach({ fromS, toS }: LivePoints): void {
    // A server that does not say where its points begin sends them in order, as far as one knows.
    this.ahead.push({ fromS: fromS ?? toS, toS });
    if (fromS === undefined) this.reachedS = Math.max(this.reachedS, toS);
    this.ahead.sort((a, b) => a.fromS - b.fromS);
    while (this.ahead[0] && this.ahead[0].fromS <= this.reachedS + this.stepS * 1.001) {
      this.reachedS = Math.max(this.reachedS, this.ahead[0].toS);
      this.ahead.shift();
    }
  }
}
