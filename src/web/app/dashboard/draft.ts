// SPDX-License-Identifier: Apache-2.0
// What was changed on a dashboard and is not saved yet. It goes only when it is saved or the user says
// so: that the dashboard was read again is no reason.
import type { Dashboard } from "./model";

export interface Draft {
  dashboard: Dashboard;
  base: Dashboard; // what was saved when the changes began: they are against it
}

export function changed(draft: Draft | undefined, next: Dashboard, kept: Dashboard): Draft {
  return { dashboard: next, base: draft?.base ?? kept };
}

// `sent` is now kept as `saved`. What was changed meanwhile stays, on top of it.
export function afterSave(
  draft: Draft | undefined,
  sent: Dashboard,
  saved: Dashboard,
): Draft | undefined {
  if (!draft || draft.dashboard === sent) return undefined;
  return { dashboard: { ...draft.dashboard, version: saved.version }, base: saved };
}

// What is read may be older than what was just saved.
export function newest(a: Dashboard | undefined, b: Dashboard | undefined): Dashboard | undefined {
  return a && b ? (a.version > b.version ? a : b) : (a ?? b);
}
