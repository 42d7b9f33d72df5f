import { afterEach, beforeEach } from "vitest";
import { createHashSemaphore, type HashSemaphore } from "../../lib/auth/password/hash-semaphore.js";
import { realHashes } from "./remembered-argon2.js";

/** Compute every hash of these tests, although the same password was hashed before. */
export function useRealHashes(): void {
  beforeEach(() => void Object.assign(globalThis, { [realHashes]: true }));
  afterEach(() => void Reflect.deleteProperty(globalThis, realHashes));
}

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
  const gate = createHashSemaphore(4);
  const counting: HashSemaphore = (hash) =>
    gate(() => {
      count++;
      return hash();
    });
  Object.assign(globalThis, { [Symbol.for("linguamate.hashGate")]: counting });
  return () => count;
}
