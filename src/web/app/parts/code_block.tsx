// SPDX-License-Identifier: Apache-2.0
// A long text in a box that scrolls, which the keyboard can reach to do so.

export function CodeBlock(props: { text: string; label: string }) {
  return (
    // What scrolls must take the keyboard's focus.
    <pre role="region" aria-label={props.label} tabIndex={0}>
      {props.text}
    </pre>
  );
}
