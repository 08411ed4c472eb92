// SPDX-License-Identifier: Apache-2.0
import { KeyReader } from "../../src/web/app/lib/keys";

const plain = { ctrlKey: false, altKey: false, metaKey: false };

test("single keys and chords", () => {
  const reader = new KeyReader();
  expect(reader.press({ key: "?", ...plain }, false, 0)).toBe("?");
  expect(reader.press({ key: "g", ...plain }, false, 10)).toBeUndefined();
  expect(reader.press({ key: "e", ...plain }, false, 500)).toBe("g e");
  expect(reader.press({ key: "e", ...plain }, false, 600)).toBe("e");
});

test("a chord that comes too late is a key by itself", () => {
  const reader = new KeyReader();
  reader.press({ key: "g", ...plain }, false, 0);
  expect(reader.press({ key: "r", ...plain }, false, 5000)).toBe("r");
});

test("keys rest while somebody types, and with modifiers", () => {
  const reader = new KeyReader();
  expect(reader.press({ key: "r", ...plain }, true, 0)).toBeUndefined();
  expect(reader.press({ key: "r", ...plain, ctrlKey: true }, false, 0)).toBeUndefined();
  reader.press({ key: "g", ...plain }, false, 0);
  reader.press({ key: "x", ...plain }, true, 1);
  expect(reader.press({ key: "e", ...plain }, false, 2)).toBe("e");
});
