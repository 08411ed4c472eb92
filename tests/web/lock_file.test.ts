// SPDX-License-Identifier: Apache-2.0
// Debian 12 has Node 18: what runs there must say that it does. What only browsers run need not.
import lock from "../../src/web/package-lock.json";

const inBrowsers = ["node_modules/lru-cache"];

// Whether a range of versions, "^18.0.0 || >=20", takes some 18.x.
function takes18(range: string): boolean {
  return range.split("||").some((part) => {
    const [, sign, major] = /^\s*(>=|\^|~|)\s*v?(\d+)/.exec(part) ?? [];
    if (major === undefined) return part.trim() === "*";
    return sign === ">=" ? Number(major) <= 18 : Number(major) === 18;
  });
}

describe("the lock file", () => {
  const packages: Record<string, { engines?: { node?: string }; integrity?: string }> = JSON.parse(
    JSON.stringify(lock.packages),
  );
  it("names no package that does without Node 18", () => {
    const others = Object.entries(packages)
      .filter(([name, { engines }]) => engines?.node && !inBrowsers.includes(name))
      .filter(([, { engines }]) => !takes18(engines?.node ?? "*"))
      .map(([name, { engines }]) => `${name} needs ${engines?.node}`);
    expect(others).toEqual([]);
  });
  it("names every package with its checksum", () => {
    const all = Object.entries(packages);
    expect(all.filter(([name, p]) => name !== "" && !p.integrity).map(([name]) => name)).toEqual(
      [],
    );
  });
});
