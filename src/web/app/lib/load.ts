// SPDX-License-Identifier: Apache-2.0
// Data that a page shows: loading, there, or failed; what was there stays while it is loaded anew.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api";

// Grows when the user asks that all that is shown be loaded anew.
export const refreshAsked = signal(0);

export interface Loaded<T> {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  stale: boolean; // the data answers keys that have changed since
  reload: () => void;
  cancel: () => void; // gives up the try under way; what was there stays
}

function same(a: readonly unknown[] | undefined, b: readonly unknown[]): boolean {
  return a !== undefined && a.length === b.length && a.every((key, i) => Object.is(key, b[i]));
}

// Runs `load` whenever a key changes, on reload(), and every `refreshMs` (0: never) while the page is
// visible. Where the server could not answer it tries again by itself, at first after two seconds;
// what the server refused is tried again at the next refresh.
export function useLoad<T>(
  load: (signal: AbortSignal) => Promise<T>,
  keys: readonly unknown[],
  refreshMs = 0,
): Loaded<T> {
  const [state, setState] = useState<{
    data?: T;
    of?: readonly unknown[]; // the keys of data
    error?: ApiError;
    loading: boolean;
  }>({ loading: true });
  const [turn, setTurn] = useState(0);
  const failures = useRef(0);
  const giveUp = useRef(() => {});
  // Not after the next frame is drawn: the request can be under way while it is.
  useLayoutEffect(() => {
    const abort = new AbortController();
    giveUp.current = () => {
      abort.abort();
      const error = new ApiError("aborted", "What is shown is what was there before.");
      setState((old) => ({ ...old, error, loading: false }));
    };
    let timer = 0;
    setState((old) => ({ ...old, loading: true }));
    load(abort.signal).then(
      (data) => {
        if (abort.signal.aborted) return;
        failures.current = 0;
        setState({ data, of: keys, loading: false });
        if (refreshMs > 0) again(refreshMs * (0.9 + 0.2 * Math.random()));
      },
      (cause: unknown) => {
        if (abort.signal.aborted) return;
        const error = cause instanceof ApiError ? cause : new ApiError("failed", String(cause));
        setState((old) => ({ ...old, error, loading: false }));
        if (error.kind === "network" || error.kind === "busy") {
          again(Math.min(2000 * 2 ** failures.current++, 30_000));
        } else if (refreshMs > 0) {
          again(refreshMs);
        }
      },
    );
    function again(ms: number) {
      timer = setTimeout(() => {
        if (document.hidden) again(1000);
        else setTurn((t) => t + 1);
      }, ms) as unknown as number;
    }
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [...keys, turn, refreshAsked.value]);
  return {
    data: state.data,
    error: state.error,
    loading: state.loading,
    stale: state.data !== undefined && !same(state.of, keys),
    reload: () => setTurn((t) => t + 1),
    cancel: () => giveUp.current(),
  };
}
