import { beforeEach } from "vitest";
import { type HashGate, hashGate } from "../../lib/auth/password/hash-gate.js";

/** Count the password hashes of each test of this file. */
export function useHashCount(): () => number {
  let count = () => 0;
  beforeEach(() => {
    count = countHashes();
  });
  return () => count();
}

/** Count the password hashes from now on, until the next call. */
export function countHashes(): () => number {
  let count = 0;
  const gate = hashGate(4);
  const counting: HashGate = (hash) =>
    gate(() => {
      count++;
      return hash();
    });
  Object.assign(globalThis, { [Symbol.for("linguamate.hashGate")]: counting });
  return () => count;
}
