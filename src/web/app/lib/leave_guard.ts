// SPDX-License-Identifier: Apache-2.0
// Who has something that is lost when the page is left, and the question before it is. Links, keys and
// the browser's Back all come through the router, which asks here; leaving Varve is asked by the
// browser itself.
import { useLayoutEffect } from "preact/hooks";

const unsaved = new Set<object>();

// Whether the page may be left: nothing would be lost, or the user says so.
export function mayLeave(ask: (question: string) => boolean = confirm): boolean {
  return unsaved.size === 0 || ask("Leave without saving what was changed here?");
}

// Until the returned function is called the user is asked.
export function guardLeaving(): () => void {
  const token = {};
  unsaved.add(token);
  return () => unsaved.delete(token);
}

// For as long as `changed`. In the same step as what is drawn: who reads "saved" may leave at once.
export function useLeaveGuard(changed: boolean): void {
  useLayoutEffect(() => {
    if (!changed) return;
    const release = guardLeaving();
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => {
      release();
      removeEventListener("beforeunload", ask);
    };
  }, [changed]);
}
