// SPDX-License-Identifier: Apache-2.0
// A dashboard and what is done with it: look, arrange, edit panels and settings, note, save with the
// version check, export, copy, delete.
import { useLayoutEffect, useState } from "preact/hooks";
import type { ApiError } from "../lib/api";
import { pageKeys } from "../lib/keys";
import { useLeaveGuard } from "../lib/leave_guard";
import { useLoad } from "../lib/load";
import { go, href, place } from "../lib/router";
import { Menu } from "../parts/menu";
import { ErrorNotice, Notice } from "../parts/notice";
import { addPanel, addRow, duplicate, freshId, remove } from "./arrange";
import { SettingsEditor } from "./dashboard_settings";
import { DashboardView } from "./dashboard_view";
import { afterSave, changed, type Draft, newest } from "./draft";
import { asError, changes, download, JsonEditor } from "./exchange";
import type { Dashboard, HandAnnotation, Panel } from "./model";
import { NoteDialog } from "./note_dialog";
import { PanelEditor } from "./panel_editor";
import {
  ConflictError,
  createDashboard,
  deleteDashboard,
  loadDashboard,
  saveDashboard,
} from "./store";
import { Versions } from "./versions";

type Editing = "json" | "settings" | "versions" | Panel | undefined;

function kioskParameters(): URLSearchParams {
  const parameters = new URLSearchParams(place.value.parameters);
  parameters.set("kiosk", "tv");
  return parameters;
}

export function OneDashboard(props: { id: string }) {
  const loaded = useLoad((signal) => loadDashboard(props.id, signal), [props.id]);
  const [unsaved, setUnsaved] = useState<Draft>();
  const [saved, setSaved] = useState<Dashboard>(); // as this page saved it, or was told that it is, last
  const [arranging, setArranging] = useState(false);
  const [editing, setEditing] = useState<Editing>();
  const [note, setNote] = useState<HandAnnotation>();
  const [error, setError] = useState<ApiError>();
  useLeaveGuard(unsaved !== undefined);
  useLayoutEffect(() => {
    pageKeys.set("e", () => {
      if (!place.value.parameters.has("kiosk")) setArranging((on) => !on);
    });
    pageKeys.set("k", () => go(place.value.path, kioskParameters()));
    return () => {
      pageKeys.delete("e");
      pageKeys.delete("k");
    };
  }, []);
  const draft = unsaved?.dashboard;
  const kept = unsaved?.base ?? newest(saved, loaded.data);
  const shown = draft ?? kept;
  if (loaded.error && !shown) {
    return (
      <main>
        <h1>Dashboard</h1>
        <ErrorNotice error={loaded.error} retry={loaded.reload} />
        <a href={href("dashboards")}>All dashboards</a>
      </main>
    );
  }
  if (!shown || !kept) return <main class="wide" />;
  const kiosk = place.value.parameters.has("kiosk");

  const setDraft = (next: Dashboard) => setUnsaved((old) => changed(old, next, kept));
  // `sent` is the draft, or the same on top of another version.
  const save = async (sent: Dashboard, made: Dashboard) => {
    try {
      const now = await saveDashboard(sent);
      setUnsaved((old) => afterSave(old, made, now));
      setSaved(now);
      setError(undefined);
      setArranging(false);
    } catch (cause) {
      setError(asError(cause));
    }
  };
  // A note is small and adds to what is there: it is saved at once, on top of what others did.
  const saveNote = async (made: HandAnnotation) => {
    setNote(undefined);
    const withNote = (d: Dashboard) => ({ ...d, notes: [...d.notes, made] });
    if (draft) return setDraft(withNote(draft));
    try {
      setSaved(await saveDashboard(withNote(await loadDashboard(kept.id))));
      setError(undefined);
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const removeAll = async () => {
    if (!confirm(`Delete “${shown.title}”? Its versions stay on the server's disk.`)) return;
    try {
      await deleteDashboard(shown.id);
      go("dashboards", undefined, true);
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const copy = () =>
    createDashboard({ ...shown, id: "", version: 0, title: `${shown.title} (copy)` }).then(
      (made) => go(`dashboards/${made.id}`, undefined, true),
      (cause: unknown) => setError(asError(cause)),
    );
  const setPanels = (panels: Panel[]) => setDraft({ ...shown, panels });
  const addOne = () => {
    const panels = addPanel(shown.panels);
    setPanels(panels);
    setArranging(true);
    setEditing(panels.find((p) => p.id === freshId(shown.panels)));
  };

  if (editing && typeof editing === "object") {
    return (
      <main class="wide">
        <PanelEditor
          dashboard={shown}
          panel={editing}
          onDone={(panel) => {
            if (panel) setPanels(shown.panels.map((p) => (p.id === panel.id ? panel : p)));
            setEditing(undefined);
          }}
        />
      </main>
    );
  }
  return (
    <main class="wide">
      {!kiosk && (
        <div class="toolbar dash-title">
          <h1>{shown.title}</h1>
          {shown.tags.map((tag) => (
            <span class="tag" key={tag}>
              {tag}
            </span>
          ))}
          {draft && <span class="badge pending">not saved</span>}
          <span class="grow" />
          {arranging && (
            <>
              <button type="button" onClick={addOne}>
                + Panel
              </button>
              <button type="button" onClick={() => setPanels(addRow(shown.panels))}>
                + Row
              </button>
              <button type="button" onClick={() => setEditing("settings")}>
                Settings
              </button>
            </>
          )}
          {draft && (
            <>
              <button type="button" class="primary" onClick={() => void save(draft, draft)}>
                Save
              </button>
              <button
                type="button"
                onClick={() => {
                  setUnsaved(undefined);
                  setArranging(false);
                  setError(undefined);
                }}
              >
                Discard
              </button>
            </>
          )}
          {!draft && (
            <button
              type="button"
              aria-pressed={arranging}
              title={arranging ? "Back to looking" : "Move, size, add and change panels"}
              onClick={() => setArranging(!arranging)}
            >
              {arranging ? "Done" : "Edit"}
            </button>
          )}
          <Menu label="⋮" title="What can be done with this dashboard" alignRight>
            {(close) => {
              const item = (title: string, action: () => void) => (
                <button
                  type="button"
                  onClick={() => {
                    close();
                    action();
                  }}
                >
                  {title}
                </button>
              );
              const now = Date.now();
              return (
                <div class="menu-list">
                  {item("Add a panel", addOne)}
                  {item("Settings", () => setEditing("settings"))}
                  {item("Add a note", () => setNote({ fromMs: now, toMs: now, text: "" }))}
                  <a href={href(place.value.path, kioskParameters())} onClick={close}>
                    Kiosk (Escape leaves it)
                  </a>
                  {item("Edit as JSON", () => setEditing("json"))}
                  {item("Versions", () => setEditing("versions"))}
                  {item("Export", () => download(shown))}
                  {item("Copy", () => void copy())}
                  {item("Delete", () => void removeAll())}
                </div>
              );
            }}
          </Menu>
        </div>
      )}
      {error && <ErrorNotice error={error} />}
      {error && draft && !(error instanceof ConflictError) && error.kind === "refused" && (
        <Notice kind="info">
          What you changed is still here.{" "}
          <button type="button" class="link" onClick={() => void copy()}>
            Save it as a copy
          </button>
        </Notice>
      )}
      {error instanceof ConflictError && error.current && (
        <Notice kind="warning">
          Someone saved version {error.current.version} meanwhile ({changes(kept, error.current)}).{" "}
          <button
            type="button"
            class="link"
            onClick={() => {
              if (!draft || !error.current) return;
              void save({ ...draft, version: error.current.version }, draft);
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
              setUnsaved(undefined);
              setSaved(error.current);
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
      {editing === "versions" && (
        <Versions
          dashboard={kept}
          onDone={(older) => {
            if (older) setDraft(older);
            setEditing(undefined);
          }}
        />
      )}
      {editing === "settings" && (
        <SettingsEditor
          dashboard={shown}
          onDone={(next) => {
            if (next) setDraft(next);
            setEditing(undefined);
          }}
        />
      )}
      {!kiosk && shown.notTranslated.length > 0 && (
        <details
          class="notice warning not-translated"
          open={place.value.parameters.has("imported")}
        >
          <summary>
            {shown.notTranslated.length} things of the imported file have no equivalent here
          </summary>
          <ul>
            {shown.notTranslated.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
          <button
            type="button"
            class="link"
            onClick={() => setDraft({ ...shown, notTranslated: [] })}
          >
            Forget this list
          </button>
        </details>
      )}
      {note && (
        <NoteDialog
          note={note}
          onDone={(made) => (made ? void saveNote(made) : setNote(undefined))}
        />
      )}
      <DashboardView
        dashboard={shown}
        arranging={arranging ? { panels: shown.panels, change: setPanels } : undefined}
        annotate={(fromMs, toMs) => setNote({ fromMs, toMs, text: "" })}
        actions={{
          edit: (id) => setEditing(shown.panels.find((p) => p.id === id)),
          ...(arranging
            ? {
                duplicate: (id: number) => setPanels(duplicate(shown.panels, id)),
                remove: (id: number) => setPanels(remove(shown.panels, id)),
              }
            : {}),
        }}
      />
    </main>
  );
}
