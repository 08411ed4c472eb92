// SPDX-License-Identifier: Apache-2.0
// Which metrics fit a search, the likeliest first: words may stand anywhere in the name, in any order;
// letters in order do where nothing better fits; descriptions come last.

function inOrder(letters: string, name: string): boolean {
  let at = 0;
  for (const c of name) if (c === letters[at]) ++at;
  return at === letters.length;
}

function rank(name: string, help: string, words: string[], letters: string): number | undefined {
  const lower = name.toLowerCase();
  const [first = ""] = words;
  if (words.every((word) => lower.includes(word))) {
    if (lower === first) return 0;
    if (lower.startsWith(first)) return 1;
    return words.every((word) => lower.startsWith(word) || lower.includes(`_${word}`)) ? 2 : 3;
  }
  const both = `${lower} ${help.toLowerCase()}`;
  if (words.every((word) => both.includes(word))) return 4;
  return letters.length > 2 && inOrder(letters, lower) ? 5 : undefined;
}

export function rankNames(
  names: string[],
  search: string,
  helpOf: (name: string) => string,
): string[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return names;
  const letters = words.join("");
  return names
    .flatMap((name) => {
      const at = rank(name, helpOf(name), words, letters);
      return at === undefined ? [] : [{ name, at }];
    })
    .sort((a, b) => a.at - b.at || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
}
