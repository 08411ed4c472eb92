// SPDX-License-Identifier: Apache-2.0
import { afterSave, changed, newest } from "../../src/web/app/dashboard/draft";
import { emptyDashboard } from "../../src/web/app/dashboard/model";

const version = (number: number, title = "t") => ({ ...emptyDashboard(), version: number, title });

test("changes stay against what they began with, whatever is read meanwhile", () => {
  const kept = version(3);
  const first = changed(undefined, version(3, "mine"), kept);
  const second = changed(first, version(3, "mine too"), version(4, "theirs"));
  expect(second.base).toBe(kept);
  expect(second.dashboard).toMatchObject({ version: 3, title: "mine too" });
});

test("a draft goes when it is saved, not what was changed while it was", () => {
  const sent = version(3, "sent");
  const draft = changed(undefined, sent, version(3));
  const saved = version(4, "sent");
  expect(afterSave(draft, sent, saved)).toBeUndefined();
  const later = changed(draft, version(3, "later"), version(3));
  expect(afterSave(later, sent, saved)).toEqual({ dashboard: version(4, "later"), base: saved });
});

test("what was saved is shown until what is read is as new", () => {
  const saved = version(4);
  expect(newest(saved, version(3))).toBe(saved);
  const read = version(4, "as the server writes it");
  expect(newest(saved, read)).toBe(read);
  expect(newest(undefined, read)).toBe(read);
  expect(newest(saved, undefined)).toBe(saved);
});
