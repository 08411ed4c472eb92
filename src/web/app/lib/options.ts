// SPDX-License-Identifier: Apache-2.0
// What the server tells the page before any request: it stands in a meta tag of index.html.

export interface PageOptions {
  title: string;
  version: string;
  adminApi: boolean;
  nonce: string; // of the content-security policy
}

const defaults: PageOptions = {
  title: "Varve",
  version: "",
  adminApi: false,
  nonce: "",
};

function read(): PageOptions {
  const text = document.querySelector<HTMLMetaElement>('meta[name="varve-options"]')?.content ?? "";
  try {
    return { ...defaults, ...(JSON.parse(text) as Partial<PageOptions>) };
  } catch {
    return defaults;
  }
}

export const pageOptions = read();
