// SPDX-License-Identifier: Apache-2.0
// One dashboard: variables, panels, refresh. What is chosen lives in the URL: from, to, refresh,
// var-<name>, kiosk.
import { useEffect, useMemo, useState } from "preact/hooks";
import { ApiError, rangeQuery } from "../lib/api";
import { legendText } from "../lib/labels";
import { useLoad } from "../lib/load";
import { place, setParameters } from "../lib/router";
import { dark, zone } from "../lib/settings";
import { resolveRange, stepFor, type TimeRange } from "../lib/time";
import type { Mark } from "../parts/chart_options";
import { ErrorNotice, Notice } from "../parts/notice";
import { TimePicker } from "../parts/time_picker";
import { colorOf } from "./field";
import { layout, rowHeightPx } from "./layout";
import type { Dashboard } from "./model";
import { safeUrl } from "./model";
import type { View } from "./panel_data";
import { PanelFrame } from "./panel_frame";
import { VariableBar } from "./variable_bar";
import { inOrder, interpolate, loadVariable, type VariableState } from "./variables";

const refreshes = [0, 5, 10, 15, 30, 60, 300, 900, 3600];

// Turns grow with every refresh, with a jitter so that many viewers do not ask at once.
function useTurns(refreshS: number): [number, () => void] {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (refreshS <= 0) return;
    let timer = 0;
    const next = () => {
      timer = setTimeout(
        () => {
          if (!document.hidden) setTurn((t) => t + 1);
          next();
        },
        refreshS * 1000 * (0.95 + 0.1 * Math.random()),
      ) as unknown as number;
    };
    next();
    return () => clearTimeout(timer);
  }, [refreshS]);
  return [turn, () => setTurn((t) => t + 1)];
}

function noteMarks(dashboard: Dashboard): Mark[] {
  return dashboard.notes.map((note) => ({
    fromS: note.fromMs / 1000,
    toS: note.toMs / 1000,
    color: "#5b8def",
    text: note.text,
  }));
}

export function DashboardView(props: {
  dashboard: Dashboard;
  onChange?: (dashboard: Dashboard) => void;
  onEditPanel?: (id: number) => void;
}) {
  const { dashboard } = props;
  const parameters = place.value.parameters;
  const search = parameters.toString();
  const range: TimeRange = {
    from: parameters.get("from") ?? dashboard.range.from,
    to: parameters.get("to") ?? dashboard.range.to,
  };
  const refreshS = Number(parameters.get("refresh") ?? dashboard.refreshS) || 0;
  const [turn, refresh] = useTurns(refreshS);
  const [folded, setFolded] = useState<ReadonlySet<number>>(
    () => new Set(dashboard.panels.filter((p) => p.collapsed).map((p) => p.id)),
  );
  const resolved = useMemo(
    () => resolveRange(range, Date.now(), zone.value),
    [range.from, range.to, turn, zone.value],
  );
  const set = (changes: Record<string, string | string[] | undefined>) => {
    const next = new URLSearchParams(search);
    for (const [name, value] of Object.entries(changes)) {
      next.delete(name);
      for (const each of value === undefined ? [] : [value].flat()) next.append(name, each);
    }
    setParameters(next, true);
  };
  const chosenKey = JSON.stringify(
    dashboard.variables.map((v) => parameters.getAll(`var-${v.name}`)),
  );

  const variables = useLoad(
    async (signal) => {
      const states = new Map<string, VariableState>();
      const problems: string[] = [];
      if (!resolved) return { states, problems };
      const builtIns = { ...resolved, stepS: 15, scrapeIntervalS: 15 };
      for (const variable of inOrder(dashboard.variables)) {
        const wanted = parameters.getAll(`var-${variable.name}`);
        try {
          states.set(
            variable.name,
            await loadVariable(
              variable,
              wanted.length > 0 ? wanted : undefined,
              states,
              builtIns,
              signal,
            ),
          );
        } catch (error) {
          if (signal.aborted || !(error instanceof ApiError) || error.kind === "network")
            throw error;
          problems.push(`Variable ${variable.name}: ${error.message}`);
          states.set(variable.name, { variable, options: [], chosen: wanted });
        }
      }
      return { states, problems };
    },
    [dashboard.variables, chosenKey, range.from, range.to],
  );
  const states = variables.data?.states ?? new Map<string, VariableState>();
  const ready = variables.data !== undefined || dashboard.variables.length === 0;

  const annotations = useLoad<Mark[]>(
    async (signal) => {
      if (!resolved || !ready) return [];
      const marks: Mark[] = [];
      for (const source of dashboard.annotations.filter((a) => a.enabled)) {
        const stepS = Math.max(source.stepS, stepFor(resolved, 400));
        const step = {
          startS: Math.ceil(resolved.fromMs / 1000 / stepS) * stepS,
          endS: Math.floor(resolved.toMs / 1000 / stepS) * stepS,
          stepS,
        };
        const query = interpolate(source.expression, states, {
          ...resolved,
          stepS,
          scrapeIntervalS: 15,
        });
        const { data } = await rangeQuery(query, step, signal);
        for (const item of data.resultType === "matrix" ? data.result : []) {
          let from: number | undefined;
          let to = 0;
          const end = () => {
            if (from === undefined || marks.length >= 500) return;
            marks.push({
              fromS: from,
              toS: to,
              color: colorOf(source.color, dark.value),
              text: legendText(source.title, item.metric) || source.name,
            });
          };
          for (const [time, value] of item.values ?? []) {
            if (Number(value) === 0) continue;
            if (from === undefined || time > to + 1.5 * stepS) {
              end();
              from = time;
            }
            to = time;
          }
          end();
        }
      }
      return marks;
    },
    [dashboard.annotations, variables.data, range.from, range.to, turn],
  );
  const marks = useMemo(
    () => [...noteMarks(dashboard), ...(annotations.data ?? [])],
    [dashboard.notes, annotations.data],
  );

  const placed = useMemo(
    () => (ready ? layout(dashboard.panels, states, folded) : []),
    [dashboard.panels, variables.data, folded, ready],
  );
  const kiosk = parameters.has("kiosk");
  const zoom = (fromMs: number, toMs: number) =>
    set({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() });

  return (
    <div class={kiosk ? "kiosk" : ""}>
      <div class="toolbar">
        <VariableBar
          states={dashboard.variables.flatMap((v) => states.get(v.name) ?? [])}
          onChange={(name, chosen) => set({ [`var-${name}`]: chosen })}
        />
        <span class="grow" />
        {dashboard.links.map((link) => {
          const url = safeUrl(link.url);
          return url ? (
            <a key={link.url} href={url} target="_blank" rel="noreferrer">
              {link.title || link.url}
            </a>
          ) : null;
        })}
        <select
          aria-label="Refresh"
          value={refreshS}
          onChange={(e) => set({ refresh: e.currentTarget.value })}
        >
          {[...new Set([...refreshes, refreshS])].map((s) => (
            <option key={s} value={s}>
              {s === 0 ? "No refresh" : s < 60 ? `Every ${s} s` : `Every ${s / 60} min`}
            </option>
          ))}
        </select>
        <button type="button" title="Refresh now" onClick={refresh}>
          ↻
        </button>
        <TimePicker range={range} onChange={(r) => set({ from: r.from, to: r.to })} />
      </div>
      {variables.error && <ErrorNotice error={variables.error} retry={variables.reload} />}
      {variables.data?.problems.map((text) => (
        <Notice kind="warning" key={text}>
          {text}
        </Notice>
      ))}
      {annotations.error && (
        <Notice kind="warning">Annotations: {annotations.error.message}</Notice>
      )}
      {!resolved && <Notice kind="error">The time range makes no sense; choose another.</Notice>}
      {ready && dashboard.panels.length === 0 && (
        <Notice kind="empty">This dashboard has no panels yet. Edit it and add one.</Notice>
      )}
      {resolved && (
        <div class="grid">
          {placed.map(({ panel, key, states: own }) => {
            const area = {
              gridColumn: `${panel.x + 1} / span ${panel.w}`,
              gridRow: `${panel.y + 1} / span ${panel.h}`,
            };
            if (panel.type === "row") {
              const isFolded = folded.has(panel.id);
              return (
                <div class="grid-row" style={area} key={key}>
                  <button
                    type="button"
                    aria-expanded={!isFolded}
                    onClick={() =>
                      setFolded((old) => {
                        const next = new Set(old);
                        if (!next.delete(panel.id)) next.add(panel.id);
                        return next;
                      })
                    }
                  >
                    {isFolded ? "▸" : "▾"}{" "}
                    {interpolate(
                      panel.title,
                      own,
                      { ...resolved, stepS: 15, scrapeIntervalS: 15 },
                      false,
                    )}
                  </button>
                </div>
              );
            }
            const view: View = {
              range: resolved,
              turn,
              states: own,
              marks,
              syncKey: `dashboard-${dashboard.id}`,
              zoom,
            };
            return (
              <div class="grid-item" style={area} key={key}>
                <PanelFrame
                  panel={panel}
                  view={view}
                  heightPx={panel.h * rowHeightPx}
                  onEdit={props.onEditPanel && (() => props.onEditPanel?.(panel.id))}
                  onRemove={
                    props.onChange &&
                    (() =>
                      props.onChange?.({
                        ...dashboard,
                        panels: dashboard.panels.filter((p) => p.id !== panel.id),
                      }))
                  }
                />
              </div>
            );
          })}
        </div>
      )}
    </div>
  );
}
