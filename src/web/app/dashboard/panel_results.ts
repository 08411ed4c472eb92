// SPDX-License-Identifier: Apache-2.0
// What the queries of a panel have answered, for all that draw or change it.
import type { QueryData } from "../lib/api";
import type { StepRange } from "../parts/chart_data";
import type { PanelQuery } from "./model";

export interface QueryResult {
  query: PanelQuery; // with its legend's variables put in
  data: QueryData;
}
export interface PanelData {
  of?: string; // which queries it answers
  results: QueryResult[];
  range: StepRange;
  warnings: string[];
}
