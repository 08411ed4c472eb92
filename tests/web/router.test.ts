// SPDX-License-Identifier: Apache-2.0
// The router with a browser's history in its place.

class FakeBrowser {
  private entries: { state: unknown; url: string }[] = [{ state: null, url: "/v/explore" }];
  private index = 0;
  private listeners: ((event: { state: unknown }) => void)[] = [];
  answers: boolean[] = []; // of the user, to the questions that are to come
  asked = 0;

  get url() {
    return this.entries[this.index]?.url ?? "";
  }
  go(delta: number) {
    const next = this.index + delta;
    if (!this.entries[next] || delta === 0) return;
    this.index = next;
    for (const listener of this.listeners) listener({ state: this.entries[next]?.state });
  }
  globals() {
    const self = this;
    const write = (state: unknown, url: string, at: number) => {
      this.entries.splice(at, this.entries.length, { state, url: url || this.url });
      this.index = at;
    };
    return {
      document: { baseURI: "http://host/v/" },
      location: {
        get pathname() {
          return self.url.split("?")[0];
        },
        get search() {
          return self.url.includes("?") ? `?${self.url.split("?")[1]}` : "";
        },
      },
      history: {
        get state() {
          return self.entries[self.index]?.state;
        },
        pushState: (state: unknown, _: string, url: string) => write(state, url, this.index + 1),
        replaceState: (state: unknown, _: string, url = this.url) => {
          this.entries[this.index] = { state, url };
        },
        go: (delta: number) => this.go(delta),
      },
      addEventListener: (kind: string, listener: (event: { state: unknown }) => void) => {
        if (kind === "popstate") this.listeners.push(listener);
      },
      scrollTo: () => {},
      confirm: () => {
        ++this.asked;
        return this.answers.shift() ?? false;
      },
    };
  }
}

async function start() {
  vi.resetModules();
  const browser = new FakeBrowser();
  for (const [name, value] of Object.entries(browser.globals())) vi.stubGlobal(name, value);
  const { go, place, setParameters } = await import("../../src/web/app/lib/router");
  const { guardLeaving } = await import("../../src/web/app/lib/leave_guard");
  return { browser, go, place, setParameters, guardLeaving };
}
afterEach(() => vi.unstubAllGlobals());

test("a page with something unsaved is left only if the user says so", async () => {
  const { browser, go, place, guardLeaving } = await start();
  go("dashboards/a");
  const release = guardLeaving();
  browser.answers = [false];
  go("alerts");
  expect([place.value.path, browser.url, browser.asked]).toEqual([
    "dashboards/a",
    "/v/dashboards/a",
    1,
  ]);
  go("dashboards/a", new URLSearchParams({ from: "now-1h" }));
  expect(browser.asked).toBe(1);
  browser.answers = [true];
  go("alerts");
  expect([place.value.path, browser.asked]).toEqual(["alerts", 2]);
  release();
  go("rules");
  expect([place.value.path, browser.asked]).toEqual(["rules", 2]);
});

test("who was asked elsewhere is not asked again", async () => {
  const { browser, go, place, guardLeaving } = await start();
  guardLeaving();
  go("dashboards", undefined, true);
  expect([place.value.path, browser.asked]).toEqual(["dashboards", 0]);
});

test("Back asks too, and is undone: what lies ahead is not lost", async () => {
  const { browser, go, place, setParameters, guardLeaving } = await start();
  go("dashboards/a");
  setParameters(new URLSearchParams({ from: "now-1h" }), true);
  setParameters(new URLSearchParams({ from: "now-2h" }), true);
  guardLeaving();
  browser.go(-1); // the same page
  expect([browser.url, browser.asked]).toEqual(["/v/dashboards/a?from=now-1h", 0]);
  browser.answers = [false];
  browser.go(-2);
  expect([place.value.path, browser.url, browser.asked]).toEqual([
    "dashboards/a",
    "/v/dashboards/a?from=now-1h",
    1,
  ]);
  browser.go(1);
  expect(place.value.parameters.get("from")).toBe("now-2h");
  browser.answers = [true];
  browser.go(-3);
  expect([place.value.path, browser.url]).toEqual(["explore", "/v/explore"]);
});
