// SPDX-License-Identifier: Apache-2.0
// A box to tick, with its title.

export function Check(props: {
  title: string;
  value: boolean;
  onChange: (value: boolean) => void;
}) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.value}
        onChange={(e) => props.onChange(e.currentTarget.checked)}
      />
      {props.title}
    </label>
  );
}
