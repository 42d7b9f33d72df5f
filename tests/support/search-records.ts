import { afterAll, expect } from "vitest";
import { secretsInRecords } from "./secrets-seen.js";

/** Whatever a file's tests were about, nothing secret may stand in what they left behind. */
afterAll(() => {
  expect(secretsInRecords(), "a secret that a test used stands in a record").toEqual([]);
});
