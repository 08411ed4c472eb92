// SPDX-License-Identifier: Apache-2.0
// A panel's place on the grid: title, what it shows, what went wrong with it.
import { useEffect, useRef, useState } from "preact/hooks";
import { href } from "../lib/router";
import { Menu } from "../parts/menu";
import { ErrorNotice, Notice } from "../parts/notice";
import type { Panel } from "./model";
import { safeUrl } from "./model";
import { type PanelData, usePanelData, useSeen, type View } from "./panel_data";
import { AlertListPanel } from "./panels/alert_list";
import { HeatmapPanel } from "./panels/heatmap";
import { SeriesPanel } from "./panels/series";
import { StateTimelinePanel } from "./panels/state_timeline";
import { TablePanel } from "./panels/table";
import { Markdown } from "./panels/text";
import { BarGaugePanel, GaugePanel, PiePanel, StatPanel } from "./panels/values";
import { interpolate } from "./variables";

const needsNoQuery = ["text", "alert-list"];

function Body(props: { panel: Panel; data: PanelData | undefined; view: View; height: number }) {
  const { panel, data, view, height } = props;
  if (panel.type === "text") {
    const text = interpolate(
      String(panel.options.text ?? ""),
      view.states,
      { ...view.range, stepS: 15, scrapeIntervalS: 15 },
      false,
    );
    return panel.options.markdown === false ? <pre>{text}</pre> : <Markdown text={text} />;
  }
  if (panel.type === "alert-list") return <AlertListPanel turn={view.turn} />;
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
      return <HeatmapPanel panel={panel} data={data} height={height} />;
    case "state-timeline":
      return <StateTimelinePanel panel={panel} data={data} />;
    default:
      return <SeriesPanel panel={panel} data={data} view={view} height={height} />;
  }
}

export function exploreQueries(panel: Panel, view: View): string {
  const parameters = new URLSearchParams();
  const builtIns = { ...view.range, stepS: 15, scrapeIntervalS: 15 };
  panel.queries.forEach((q, i) => {
    parameters.set(`g${i}.expr`, interpolate(q.expression, view.states, builtIns));
    parameters.set(`g${i}.tab`, "graph");
  });
  parameters.set("from", new Date(view.range.fromMs).toISOString());
  parameters.set("to", new Date(view.range.toMs).toISOString());
  return href("explore", parameters);
}

export function PanelFrame(props: {
  panel: Panel;
  view: View;
  heightPx: number;
  onEdit?: (() => void) | undefined;
  onRemove?: (() => void) | undefined;
}) {
  const { panel, view, heightPx } = props;
  const box = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(600);
  const seen = useSeen(() => box.current);
  useEffect(() => {
    if (box.current) setWidth(box.current.clientWidth);
  }, []);
  const loaded = usePanelData(panel, view, seen && !needsNoQuery.includes(panel.type), width);
  const builtIns = { ...view.range, stepS: 15, scrapeIntervalS: 15 };
  const title = interpolate(panel.title, view.states, builtIns, false);
  return (
    <section class="dash-panel" ref={box} aria-label={title || panel.type}>
      <div class="dash-head">
        <h3 title={panel.description || title}>
          {title}
          {panel.description && <span class="info-sign" />}
        </h3>
        {loaded.loading && seen && !needsNoQuery.includes(panel.type) && (
          <span class="spinner" role="status" aria-label="Loading" />
        )}
        <Menu label="⋮" title="What can be done with this panel" alignRight>
          {(close) => (
            <div class="menu-list">
              {panel.queries.length > 0 && (
                <a href={exploreQueries(panel, view)}>Open in Explore</a>
              )}
              {panel.links.map((link) => {
                const url = safeUrl(interpolate(link.url, view.states, builtIns, false));
                return url ? (
                  <a key={link.url} href={url} target="_blank" rel="noreferrer">
                    {link.title || link.url}
                  </a>
                ) : null;
              })}
              {props.onEdit && (
                <button
                  type="button"
                  onClick={() => {
                    close();
                    props.onEdit?.();
                  }}
                >
                  Edit
                </button>
              )}
              {props.onRemove && (
                <button
                  type="button"
                  onClick={() => {
                    close();
                    props.onRemove?.();
                  }}
                >
                  Remove
                </button>
              )}
            </div>
          )}
        </Menu>
      </div>
      <div class="dash-body">
        {loaded.error && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
        {loaded.data?.warnings.map((text) => (
          <Notice kind="warning" key={text}>
            {text}
          </Notice>
        ))}
        {(!loaded.error || loaded.data) && (
          <Body panel={panel} data={loaded.data} view={view} height={heightPx - 46} />
        )}
      </div>
    </section>
  );
}
