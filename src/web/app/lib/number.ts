// SPDX-License-Identifier: Apache-2.0
// Sample values: the API sends them as text because JSON has no NaN and no Inf.

export function parseValue(text: string): number {
  if (text === "+Inf" || text === "Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return Number(text);
}
