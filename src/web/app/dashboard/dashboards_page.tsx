// SPDX-License-Identifier: Apache-2.0
// The list of dashboards, one of them, and what is done with them: new, import, export, save.
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../lib/api";
import { useLoad } from "../lib/load";
import { go, href, place } from "../lib/router";
import { Filter, matchesWords } from "../parts/filter";
import { Menu } from "../parts/menu";
import { ErrorNotice, Notice } from "../parts/notice";
import { DashboardView } from "./dashboard_view";
import { importGrafana, isGrafana } from "./grafana";
import { type Dashboard, emptyDashboard, emptyPanel, readDashboard } from "./model";
import { PanelEditor } from "./panel_editor";
import {
  ConflictError,
  createDashboard,
  deleteDashboard,
  listDashboards,
  loadDashboard,
  saveDashboard,
} from "./store";

const asError = (cause: unknown) =>
  cause instanceof ApiError
    ? cause
    : new ApiError("refused", cause instanceof Error ? cause.message : String(cause));

async function readFile(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".json,application/json";
    input.onchange = () => resolve(input.files?.[0]?.text());
    input.oncancel = () => resolve(undefined);
    input.click();
  });
}

function download(dashboard: Dashboard): void {
  const url = URL.createObjectURL(
    new Blob([JSON.stringify(dashboard, null, 2)], { type: "application/json" }),
  );
  const link = document.createElement("a");
  link.href = url;
  link.download = `${dashboard.title.replace(/[^\w-]+/g, "-")}.json`;
  link.click();
  URL.revokeObjectURL(url);
}

// Reads our own JSON and Grafana's.
export function readAny(text: string): { dashboard: Dashboard; notes: string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (isGrafana(json)) return importGrafana(json);
  return { dashboard: readDashboard(json), notes: [] };
}

function DashboardList() {
  const loaded = useLoad((signal) => listDashboards(signal), []);
  const [search, setSearch] = useState("");
  const [error, setError] = useState<ApiError>();
  const [notes, setNotes] = useState<{ id: string; list: string[] }>();
  const add = async (dashboard: Dashboard, list: string[] = []) => {
    try {
      const made = await createDashboard(dashboard);
      setError(undefined);
      if (list.length === 0) go(`dashboards/${made.id}`);
      else setNotes({ id: made.id, list });
      loaded.reload();
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const importFile = async () => {
    const text = await readFile();
    if (text === undefined) return;
    try {
      const { dashboard, notes: list } = readAny(text);
      await add({ ...dashboard, id: "", version: 0 }, list);
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const found = (loaded.data?.data ?? []).filter((d) =>
    matchesWords(search, d.title, d.tags.join(" ")),
  );
  return (
    <main>
      <div class="toolbar">
        <h1>Dashboards</h1>
        <Filter value={search} onChange={setSearch} placeholder="Search titles and tags" />
        <span class="grow" />
        <button type="button" onClick={() => void importFile()}>
          Import JSON
        </button>
        <button type="button" class="primary" onClick={() => void add(emptyDashboard())}>
          New
        </button>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {error && <ErrorNotice error={error} />}
      {notes && (
        <Notice kind="warning">
          <p>
            Imported; <a href={href(`dashboards/${notes.id}`)}>open it</a>. What has no equivalent:
          </p>
          <ul>
            {notes.list.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </Notice>
      )}
      {loaded.data && found.length === 0 && (
        <Notice kind="empty">
          {search
            ? "No dashboard fits this search."
            : "No dashboards yet. Make a new one, or import a file: Grafana's JSON works too."}
        </Notice>
      )}
      <ul class="dash-list panel">
        {found.map((d) => (
          <li key={d.id}>
            <a href={href(`dashboards/${d.id}`)}>{d.title}</a>
            {d.tags.map((tag) => (
              <span class="tag" key={tag}>
                {tag}
              </span>
            ))}
            <span class="grow" />
            <span class="muted">{d.provisioned ? "shipped" : `version ${d.version}`}</span>
          </li>
        ))}
      </ul>
    </main>
  );
}

function JsonEditor(props: { dashboard: Dashboard; onDone: (dashboard?: Dashboard) => void }) {
  const [text, setText] = useState(() => JSON.stringify(props.dashboard, null, 2));
  const [error, setError] = useState<ApiError>();
  const apply = () => {
    try {
      const read = readAny(text).dashboard;
      props.onDone({ ...read, id: props.dashboard.id, version: props.dashboard.version });
    } catch (cause) {
      setError(asError(cause));
    }
  };
  return (
    <section class="panel form">
      <textarea
        rows={30}
        aria-label="JSON of the dashboard"
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
      />
      {error && <ErrorNotice error={error} />}
      <div class="toolbar">
        <button type="button" class="primary" onClick={apply}>
          Apply
        </button>
        <button type="button" onClick={() => props.onDone()}>
          Cancel
        </button>
      </div>
    </section>
  );
}

function OneDashboard(props: { id: string }) {
  const loaded = useLoad((signal) => loadDashboard(props.id, signal), [props.id]);
  const [draft, setDraft] = useState<Dashboard>();
  const [editing, setEditing] = useState<"json" | number>();
  const [error, setError] = useState<ApiError>();
  useEffect(() => setDraft(undefined), [loaded.data]);
  const shown = draft ?? loaded.data;
  const kept = loaded.data;
  if (loaded.error && !shown) {
    return (
      <main>
        <ErrorNotice error={loaded.error} retry={loaded.reload} />
        <a href={href("dashboards")}>All dashboards</a>
      </main>
    );
  }
  if (!shown || !kept) return <main class="wide" />;
  const save = async (dashboard: Dashboard) => {
    try {
      await saveDashboard(dashboard);
      setError(undefined);
      loaded.reload();
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const remove = async () => {
    if (!confirm(`Delete “${shown.title}”? Its versions stay on the server's disk.`)) return;
    try {
      await deleteDashboard(shown.id);
      go("dashboards");
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const addPanel = () => {
    const id = 1 + Math.max(0, ...shown.panels.map((p) => p.id));
    const y = Math.max(0, ...shown.panels.map((p) => p.y + p.h));
    setDraft({ ...shown, panels: [...shown.panels, { ...emptyPanel(id), y }] });
    setEditing(id);
  };
  const edited =
    typeof editing === "number" ? shown.panels.find((p) => p.id === editing) : undefined;
  return (
    <main class="wide">
      <div class="toolbar">
        <h1>{shown.title}</h1>
        {draft && <span class="badge pending">not saved</span>}
        <span class="grow" />
        {draft && (
          <>
            <button type="button" class="primary" onClick={() => void save(draft)}>
              Save
            </button>
            <button type="button" onClick={() => setDraft(undefined)}>
              Discard
            </button>
          </>
        )}
        <Menu label="⋮" title="What can be done with this dashboard" alignRight>
          {(close) => (
            <div class="menu-list">
              <button
                type="button"
                onClick={() => {
                  close();
                  addPanel();
                }}
              >
                Add a panel
              </button>
              <button
                type="button"
                onClick={() => {
                  close();
                  setEditing("json");
                }}
              >
                Edit as JSON
              </button>
              <button
                type="button"
                onClick={() => {
                  close();
                  download(shown);
                }}
              >
                Export
              </button>
              <button
                type="button"
                onClick={() => {
                  close();
                  void createDashboard({
                    ...shown,
                    id: "",
                    version: 0,
                    title: `${shown.title} (copy)`,
                  }).then(
                    (made) => go(`dashboards/${made.id}`),
                    (cause: unknown) => setError(asError(cause)),
                  );
                }}
              >
                Copy
              </button>
              <button
                type="button"
                onClick={() => {
                  close();
                  void remove();
                }}
              >
                Delete
              </button>
            </div>
          )}
        </Menu>
      </div>
      {error && <ErrorNotice error={error} />}
      {error instanceof ConflictError && error.current && (
        <Notice kind="warning">
          Someone saved version {error.current.version} meanwhile ({changes(kept, error.current)}).{" "}
          <button
            type="button"
            class="link"
            onClick={() => {
              if (draft && error.current) void save({ ...draft, version: error.current.version });
            }}
          >
            Save mine over it
          </button>{" "}
          or{" "}
          <button
            type="button"
            class="link"
            onClick={() => {
              setError(undefined);
              loaded.reload();
            }}
          >
            take theirs
          </button>
          .
        </Notice>
      )}
      {editing === "json" && (
        <JsonEditor
          dashboard={shown}
          onDone={(next) => {
            if (next) setDraft(next);
            setEditing(undefined);
          }}
        />
      )}
      {edited && (
        <PanelEditor
          panel={edited}
          onDone={(panel) => {
            if (panel) {
              setDraft({
                ...shown,
                panels: shown.panels.map((p) => (p.id === panel.id ? panel : p)),
              });
            }
            setEditing(undefined);
          }}
        />
      )}
      <DashboardView dashboard={shown} onChange={setDraft} onEditPanel={setEditing} />
    </main>
  );
}

// What differs between two versions, in a few words.
export function changes(from: Dashboard, to: Dashboard): string {
  const text = (value: unknown) => JSON.stringify(value);
  const old = new Map(from.panels.map((p) => [p.id, text(p)]));
  const now = new Map(to.panels.map((p) => [p.id, text(p)]));
  const count = (n: number, what: string) => (n > 0 ? [`${n} ${what}`] : []);
  const parts = [
    ...(from.title === to.title ? [] : ["the title"]),
    ...count([...now.keys()].filter((id) => !old.has(id)).length, "panels added"),
    ...count([...old.keys()].filter((id) => !now.has(id)).length, "panels removed"),
    ...count(
      [...now].filter(([id, t]) => old.has(id) && old.get(id) !== t).length,
      "panels changed",
    ),
    ...(text(from.variables) === text(to.variables) ? [] : ["the variables"]),
  ];
  return parts.length > 0 ? parts.join(", ") : "nothing that is seen";
}

export function DashboardsPage() {
  const id = place.value.path.split("/")[1];
  return id ? <OneDashboard key={id} id={decodeURIComponent(id)} /> : <DashboardList />;
}
