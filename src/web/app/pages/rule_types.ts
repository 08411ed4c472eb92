// SPDX-License-Identifier: Apache-2.0
// /api/v1/rules as Prometheus shapes it.
import type { LabelSet } from "../lib/api";

export interface Alert {
  labels: LabelSet;
  annotations: LabelSet;
  state: "pending" | "firing" | "inactive";
  activeAt?: string;
  keepFiringSince?: string;
  value: string;
}
interface RuleBase {
  name: string;
  query: string;
  labels?: LabelSet;
  health: "ok" | "err" | "unknown";
  lastError?: string;
  evaluationTime: number;
  lastEvaluation: string;
}
export interface AlertingRule extends RuleBase {
  type: "alerting";
  state: "pending" | "firing" | "inactive";
  duration: number;
  keepFiringFor: number;
  annotations: LabelSet;
  alerts: Alert[];
}
export interface RecordingRule extends RuleBase {
  type: "recording";
}
export type Rule = AlertingRule | RecordingRule;
export interface RuleGroup {
  name: string;
  file: string;
  interval: number;
  limit: number;
  rules: Rule[];
  evaluationTime: number;
  lastEvaluation: string;
}
export interface RulesAnswer {
  groups: RuleGroup[];
}
