// SPDX-License-Identifier: Apache-2.0
// One dashboard: variables, panels, refresh. What is chosen lives in the URL: from, to, refresh,
// var-<name>; panel=<id> shows that one alone; kiosk leaves the page's frame out (kiosk=tv keeps the
// variables), which is also how a dashboard or a panel is put into another page of the same origin:
// the server lets no other frame it.
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { ApiError } from "../lib/api";
import { useLoad } from "../lib/load";
import { href, place, setParameters } from "../lib/router";
import { zone } from "../lib/settings";
import { resolveRange, type TimeRange } from "../lib/time";
import { Menu } from "../parts/menu";
import { ErrorNotice, Notice } from "../parts/notice";
import { TimePicker } from "../parts/time_picker";
import { useAnnotations } from "./annotations";
import { settle } from "./arrange";
import { layout, type Placed } from "./layout";
import type { Dashboard, Link } from "./model";
import { safeUrl } from "./model";
import type { View } from "./panel_data";
import type { PanelActions } from "./panel_frame";
import { type Arranging, PanelGrid } from "./panel_grid";
import { livePollS, liveRefresh, RefreshPicker, useTurns } from "./refresh";
import { listDashboards } from "./store";
import { VariableBar } from "./variable_bar";
import { inOrder, interpolate, loadVariable, type VariableState } from "./variables";

const soloRows = 17;
const nothingFolded: ReadonlySet<number> = new Set();

function useVariables(dashboard: Dashboard, range: { fromMs: number; toMs: number } | undefined) {
  const parameters = place.value.parameters;
  const chosenKey = JSON.stringify(
    dashboard.variables.map((v) => parameters.getAll(`var-${v.name}`)),
  );
  const from = parameters.get("from");
  const to = parameters.get("to");
  return useLoad(
    async (signal) => {
      const states = new Map<string, VariableState>();
      const problems: string[] = [];
      if (!range) return { states, problems };
      const builtIns = { ...range, stepS: 15, scrapeIntervalS: 15 };
      for (const variable of inOrder(dashboard.variables)) {
        const wanted = parameters.getAll(`var-${variable.name}`);
        const given = wanted.length > 0 ? wanted : undefined;
        try {
          const state = await loadVariable(variable, given, states, builtIns, signal);
          states.set(variable.name, state);
        } catch (error) {
          if (signal.aborted || !(error instanceof ApiError) || error.kind === "network")
            throw error;
          problems.push(`Variable ${variable.name}: ${error.message}`);
          states.set(variable.name, { variable, options: [], chosen: wanted });
        }
      }
      return { states, problems };
    },
    [dashboard.variables, chosenKey, from, to],
  );
}

// The dashboards that have all tags of the link, with the range that is chosen here.
function TaggedDashboards(props: { link: Link }) {
  const { link } = props;
  const loaded = useLoad((signal) => listDashboards(signal), []);
  const kept = new URLSearchParams();
  for (const [name, value] of place.value.parameters) {
    if (name === "from" || name === "to" || name.startsWith("var-")) kept.append(name, value);
  }
  const found = (loaded.data?.data ?? []).filter((d) =>
    (link.tags ?? []).every((tag) => d.tags.includes(tag)),
  );
  return (
    <Menu label={`${link.title || "Dashboards"} ▾`} title="Other dashboards" alignRight>
      {(close) => (
        <div class="menu-list">
          {found.map((d) => (
            <a key={d.id} href={href(`dashboards/${d.id}`, kept)} onClick={close}>
              {d.title}
            </a>
          ))}
          {found.length === 0 && <span class="muted">None has these tags.</span>}
        </div>
      )}
    </Menu>
  );
}

function Links(props: {
  dashboard: Dashboard;
  states: ReadonlyMap<string, VariableState>;
  range: { fromMs: number; toMs: number };
}) {
  const builtIns = { ...props.range, stepS: 15, scrapeIntervalS: 15 };
  return (
    <>
      {props.dashboard.links.map((link) => {
        if (link.tags) return <TaggedDashboards key={link.title} link={link} />;
        const url = safeUrl(interpolate(link.url, props.states, builtIns, false));
        return url ? (
          <a key={link.url} class="dash-link" href={url} target="_blank" rel="noreferrer">
            {link.title || link.url} <span aria-hidden="true">↗</span>
          </a>
        ) : null;
      })}
    </>
  );
}

export function DashboardView(props: {
  dashboard: Dashboard;
  arranging?: Arranging | undefined;
  actions: PanelActions;
  solo?: number | undefined; // this panel alone, whatever the URL says
  annotate?: ((fromMs: number, toMs: number) => void) | undefined;
}) {
  const { dashboard, arranging } = props;
  const parameters = place.value.parameters;
  const search = parameters.toString();
  const range: TimeRange = {
    from: parameters.get("from") ?? dashboard.range.from,
    to: parameters.get("to") ?? dashboard.range.to,
  };
  const wanted = parameters.get("refresh") ?? (dashboard.live ? liveRefresh : dashboard.refreshS);
  const canBeLive = range.to === "now" && range.from.startsWith("now");
  const live = wanted === liveRefresh && canBeLive;
  const refreshS = Number(wanted) || 0;
  const [turn, setTurn] = useState(0);
  const poll = useTurns(live ? livePollS : refreshS);
  const [folded, setFolded] = useState<ReadonlySet<number>>(
    () => new Set(dashboard.panels.filter((p) => p.collapsed).map((p) => p.id)),
  );
  const resolved = useMemo(
    () => resolveRange(range, Date.now(), zone.value),
    [range.from, range.to, turn, poll, zone.value],
  );
  const set = (changes: Record<string, string | string[] | undefined>) => {
    const next = new URLSearchParams(search);
    for (const [name, value] of Object.entries(changes)) {
      next.delete(name);
      for (const each of value === undefined ? [] : [value].flat()) next.append(name, each);
    }
    setParameters(next, true);
  };

  const variables = useVariables(dashboard, resolved);
  const states = variables.data?.states ?? new Map<string, VariableState>();
  const ready = variables.data !== undefined || dashboard.variables.length === 0;
  const { marks, problem } = useAnnotations(dashboard, resolved, states, ready, [
    variables.data,
    range.from,
    range.to,
    turn,
    poll,
  ]);

  const soloId = props.solo ?? (Number(parameters.get("panel")) || undefined);
  const placed = useMemo((): Placed[] => {
    if (!ready) return [];
    if (soloId !== undefined) {
      const panel = dashboard.panels.find((p) => p.id === soloId);
      const alone = panel && { ...panel, x: 0, y: 0, w: 24, h: soloRows };
      return alone ? [{ panel: alone, key: `solo${alone.id}`, states, row: undefined }] : [];
    }
    if (arranging) {
      return settle(arranging.panels).map((panel) => ({
        panel,
        key: `${panel.id}/`,
        states,
        row: undefined,
      }));
    }
    return layout(dashboard.panels, states, folded);
  }, [dashboard.panels, arranging?.panels, variables.data, folded, ready, soloId]);

  const kiosk = parameters.get("kiosk");
  useLayoutEffect(() => {
    if (kiosk === null && soloId === undefined) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && props.solo === undefined) {
        set({ kiosk: undefined, panel: undefined });
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [kiosk, soloId, search]);

  const view: Omit<View, "states"> | undefined = resolved && {
    range: resolved,
    live,
    turn,
    poll,
    marks,
    syncKey: `dashboard-${dashboard.id}`,
    zoom: (fromMs, toMs) =>
      set({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }),
    annotate: props.annotate,
  };
  const actions: PanelActions | undefined =
    kiosk !== null
      ? undefined
      : {
          ...props.actions,
          ...(soloId === undefined ? { solo: (id) => set({ panel: String(id) }) } : {}),
          embed: (id) => {
            const next = new URLSearchParams(search);
            next.set("panel", String(id));
            next.set("kiosk", "1");
            return href(place.value.path, next);
          },
        };

  return (
    <div class={`dashboard ${kiosk === null ? "" : kiosk === "tv" ? "kiosk tv" : "kiosk"}`}>
      <div class="toolbar dash-bar">
        {soloId !== undefined && props.solo === undefined && (
          <button type="button" onClick={() => set({ panel: undefined })}>
            ← All panels
          </button>
        )}
        <VariableBar
          states={dashboard.variables.flatMap((v) => states.get(v.name) ?? [])}
          onChange={(name, chosen) => set({ [`var-${name}`]: chosen })}
        />
        <span class="grow" />
        {resolved && <Links dashboard={dashboard} states={states} range={resolved} />}
        <RefreshPicker
          value={wanted === liveRefresh ? liveRefresh : refreshS}
          canBeLive={canBeLive}
          onChange={(value) => set({ refresh: value })}
          onNow={() => setTurn((t) => t + 1)}
        />
        <TimePicker range={range} onChange={(r) => set({ from: r.from, to: r.to })} />
      </div>
      {variables.error && <ErrorNotice error={variables.error} retry={variables.reload} />}
      {variables.data?.problems.map((text) => (
        <Notice kind="warning" key={text}>
          {text}
        </Notice>
      ))}
      {problem && <Notice kind="warning">Annotations: {problem}</Notice>}
      {!resolved && <Notice kind="error">The time range makes no sense; choose another.</Notice>}
      {ready && dashboard.panels.length === 0 && (
        <Notice kind="empty">This dashboard has no panels yet. Edit it and add one.</Notice>
      )}
      {ready && soloId !== undefined && placed.length === 0 && (
        <Notice kind="empty">There is no panel {soloId} in this dashboard.</Notice>
      )}
      {view && (
        <PanelGrid
          placed={placed}
          view={view}
          folded={arranging ? nothingFolded : folded}
          onFold={(id) =>
            setFolded((old) => {
              const next = new Set(old);
              if (!next.delete(id)) next.add(id);
              return next;
            })
          }
          arranging={soloId === undefined ? arranging : undefined}
          actions={actions}
        />
      )}
    </div>
  );
}
