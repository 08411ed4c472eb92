// SPDX-License-Identifier: Apache-2.0
// Says what is wrong, or why there is nothing to see, and what to do about it.
import type { ComponentChildren } from "preact";
import type { ApiError } from "../lib/api";

export function Notice(props: {
  kind: "error" | "warning" | "info" | "empty";
  children: ComponentChildren;
}) {
  return (
    <div class={`notice ${props.kind}`} role={props.kind === "error" ? "alert" : "status"}>
      {props.children}
    </div>
  );
}

const headings = {
  network: "No connection",
  busy: "The server is busy or starting",
  refused: "The server refused this",
  failed: "The server failed",
  aborted: "Cancelled",
};

export function ErrorNotice(props: { error: ApiError; retry?: () => void }) {
  const { error, retry } = props;
  const waits = error.kind === "network" || error.kind === "busy";
  return (
    <Notice kind="error">
      <strong>{error.errorType === "bad_data" ? "Invalid query" : headings[error.kind]}.</strong>{" "}
      <span class="message">{error.message}</span>
      {waits && <span class="muted"> Trying again by itself.</span>}
      {retry && " "}
      {retry && (
        <button type="button" class="link" onClick={retry}>
          Try again
        </button>
      )}
    </Notice>
  );
}
