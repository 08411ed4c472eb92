// SPDX-License-Identifier: Apache-2.0
// A panel's place on the grid: title, what it shows, what went wrong with it.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { href } from "../lib/router";
import { Menu } from "../parts/menu";
import { ErrorNotice, Notice } from "../parts/notice";
import type { Panel } from "./model";
import { safeUrl } from "./model";
import { usePanelData, useSeen, type View, viewOf } from "./panel_data";
import type { PanelData } from "./panel_results";
import { AlertListPanel } from "./panels/alert_list";
import { HeatmapPanel } from "./panels/heatmap";
import { SeriesPanel } from "./panels/series";
import { StateTimelinePanel } from "./panels/state_timeline";
import { TablePanel } from "./panels/table";
import { Markdown } from "./panels/text";
import { BarGaugePanel, GaugePanel, PiePanel, StatPanel } from "./panels/values";
import { interpolate, queryText } from "./variables";

// These grow with their content; where that is more than fits, the arrow keys scroll it.
const scrolls = ["text", "alert-list", "table", "bargauge", "pie", "state-timeline"];
const needsNoQuery = ["text", "alert-list"];

function Body(props: { panel: Panel; data: PanelData | undefined; view: View }) {
  const { panel, data, view } = props;
  if (panel.type === "text") {
    const text = interpolate(
      String(panel.options.text ?? ""),
      view.states,
      { ...view.range, stepS: 15, scrapeIntervalS: 15 },
      false,
    );
    return panel.options.markdown === false ? <pre>{text}</pre> : <Markdown text={text} />;
  }
  if (panel.type === "alert-list") return <AlertListPanel panel={panel} view={view} />;
  if (!data) return null;
  const empty = data.results.every(
    ({ data: d }) => Array.isArray(d.result) && d.result.length === 0,
  );
  if (data.results.length === 0 || empty) return <p class="muted no-data">No data</p>;
  switch (panel.type) {
    case "stat":
      return <StatPanel panel={panel} data={data} />;
    case "gauge":
      return <GaugePanel panel={panel} data={data} />;
    case "bargauge":
      return <BarGaugePanel panel={panel} data={data} />;
    case "pie":
      return <PiePanel panel={panel} data={data} />;
    case "table":
      return <TablePanel panel={panel} data={data} />;
    case "heatmap":
      return <HeatmapPanel panel={panel} data={data} />;
    case "state-timeline":
      return <StateTimelinePanel panel={panel} data={data} />;
    default:
      return <SeriesPanel panel={panel} data={data} view={view} />;
  }
}

export function exploreQueries(panel: Panel, view: View): string {
  const parameters = new URLSearchParams();
  const builtIns = { ...view.range, stepS: 15, scrapeIntervalS: 15 };
  panel.queries.forEach((q, i) => {
    parameters.set(`g${i}.expr`, queryText(q.expression, view.states, builtIns));
    parameters.set(`g${i}.tab`, "graph");
  });
  parameters.set("from", new Date(view.range.fromMs).toISOString());
  parameters.set("to", new Date(view.range.toMs).toISOString());
  return href("explore", parameters);
}

// Seconds since loading began, once that is long enough to say so.
function useWaiting(loading: boolean): number {
  const [waited, setWaited] = useState(0);
  useEffect(() => {
    setWaited(0);
    if (!loading) return;
    const begin = Date.now();
    const timer = setInterval(() => setWaited(Math.round((Date.now() - begin) / 1000)), 1000);
    return () => clearInterval(timer);
  }, [loading]);
  return waited >= 3 ? waited : 0;
}

// What the menu of a panel offers; what is absent is not offered.
export interface PanelActions {
  edit?: ((id: number) => void) | undefined;
  duplicate?: ((id: number) => void) | undefined;
  remove?: ((id: number) => void) | undefined;
  solo?: ((id: number) => void) | undefined; // alone and large
  embed?: ((id: number) => string) | undefined; // a link to the panel alone
}

function PanelMenu(props: { panel: Panel; view: View; actions: PanelActions }) {
  const { panel, view, actions } = props;
  const builtIns = { ...view.range, stepS: 15, scrapeIntervalS: 15 };
  return (
    <Menu label="⋮" title="What can be done with this panel" alignRight>
      {(close) => {
        const item = (title: string, action: ((id: number) => void) | undefined) =>
          action && (
            <button
              type="button"
              onClick={() => {
                close();
                action(panel.id);
              }}
            >
              {title}
            </button>
          );
        return (
          <div class="menu-list">
            {item("View alone", actions.solo)}
            {item("Edit", actions.edit)}
            {item("Duplicate", actions.duplicate)}
            {panel.queries.length > 0 && <a href={exploreQueries(panel, view)}>Open in Explore</a>}
            {actions.embed && (
              <a
                href={actions.embed(panel.id)}
                target="_blank"
                rel="noreferrer"
                title="The panel alone, for a frame in a page of the same origin: browsers show it in no other"
              >
                Link to embed (same origin only)
              </a>
            )}
            {panel.links.map((link) => {
              const url = safeUrl(interpolate(link.url, view.states, builtIns, false));
              return url ? (
                <a key={link.url} href={url} target="_blank" rel="noreferrer">
                  {link.title || link.url}
                </a>
              ) : null;
            })}
            {item("Remove", actions.remove)}
          </div>
        );
      }}
    </Menu>
  );
}

export function PanelFrame(props: {
  panel: Panel;
  view: View;
  handle?: ComponentChildren;
  actions: PanelActions | undefined; // without there is no menu
}) {
  const { panel } = props;
  const view = viewOf(panel, props.view);
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const seen = useSeen(() => box.current);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    setWidth(element.clientWidth);
    // A step more or less is not worth a query: a panel must grow by half for that.
    const observer = new ResizeObserver(() =>
      setWidth((old) =>
        element.clientWidth > 1.5 * old || element.clientWidth < old / 1.5
          ? element.clientWidth
          : old,
      ),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const asks = !needsNoQuery.includes(panel.type);
  const loaded = usePanelData(panel, view, seen && width > 0 && asks, width);
  const waiting = loaded.loading && seen && asks;
  const waited = useWaiting(waiting);
  // While the server is away what it said last stays, with a sign that it is old.
  const stale = loaded.data !== undefined && ["network", "busy"].includes(loaded.error?.kind ?? "");
  const builtIns = { ...view.range, stepS: 15, scrapeIntervalS: 15 };
  const title = interpolate(panel.title, view.states, builtIns, false);
  return (
    <div
      class="dash-panel"
      role="group"
      ref={box}
      aria-label={title || panel.type}
      aria-busy={waiting}
    >
      <div class="dash-head">
        {props.handle}
        <h2 title={panel.description || title}>
          {title}
          {panel.description && <span class="info-sign" />}
          {(panel.span || panel.shift) && (
            <span class="muted own-range">
              {panel.span && `last ${panel.span}`} {panel.shift && `${panel.shift} earlier`}
            </span>
          )}
        </h2>
        {stale && (
          <span class="stale-sign" role="status" title={loaded.error?.message}>
            ⚠ not up to date
          </span>
        )}
        {waiting && !stale && <span class="spinner" role="status" aria-label="Loading" />}
        {props.actions && <PanelMenu panel={panel} view={view} actions={props.actions} />}
      </div>
      <div class="dash-body" tabIndex={scrolls.includes(panel.type) ? 0 : undefined}>
        {loaded.error && !stale && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
        {waited > 0 && !loaded.error && (
          <p class="muted slow" role="status">
            The server has been working on this for {waited} s.
          </p>
        )}
        {loaded.data?.warnings.map((text) => (
          <Notice kind="warning" key={text}>
            {text}
          </Notice>
        ))}
        {(!loaded.error || loaded.data) && (
          <div class="dash-content">
            <Body panel={panel} data={loaded.data} view={view} />
          </div>
        )}
      </div>
    </div>
  );
}
