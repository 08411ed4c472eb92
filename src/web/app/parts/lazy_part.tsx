// SPDX-License-Identifier: Apache-2.0
// A part of the page that is fetched when it is first shown. `load` must stay the same function.
import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Notice } from "./notice";

export function LazyPart<Props extends object>(parameters: {
  load: () => Promise<FunctionComponent<Props>>;
  props: Props;
}) {
  const { load, props } = parameters;
  const [part, setPart] = useState<{ show: FunctionComponent<Props> } | undefined>();
  const [failed, setFailed] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    load().then(
      (show) => setPart({ show }),
      () => setFailed(true),
    );
  }, [load, turn]);
  if (part) {
    const Part = part.show;
    return <Part {...props} />;
  }
  if (!failed) return <p class="muted">Loading …</p>;
  return (
    <Notice kind="error">
      This part of the page could not be fetched: the server is away, or has been updated since the
      page was opened.{" "}
      <button
        type="button"
        class="link"
        onClick={() => {
          setFailed(false);
          setTurn(turn + 1);
        }}
      >
        Try again
      </button>{" "}
      <button type="button" class="link" onClick={() => location.reload()}>
        Reload the page
      </button>
    </Notice>
  );
}
