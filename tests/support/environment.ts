import { afterEach, beforeEach } from "vitest";
import { installLogStream } from "../../lib/observability/logger.js";
import { record } from "./secrets-seen.js";

const slot = Symbol.for("linguamate.env");
const names = new Set<string>();

const standard = {
  NODE_ENV: "test",
  JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
  LOG_LEVEL: "trace",
  // Nothing listens there: tests reach no outside service.
  EXPO_PUBLIC_TOOLKIT_URL: "http://127.0.0.1:9",
};
let byDefault: Record<string, string> = standard;

/** What every test file begins with. Log lines are searched for secrets at its end, and not shown. */
export function resetEnvironment(): void {
  installLogStream({ write: record });
  byDefault = standard;
  setEnvironment({});
}

/** Run this file's code in an environment of its own, over the tests' defaults. */
export function useEnvironment(variables: Record<string, string> = {}): void {
  beforeEach(() => setEnvironment(variables));
  afterEach(() => setEnvironment({}));
}

/** Change the environment in the midst of a test. What is not named falls back to the defaults. */
export function setEnvironment(variables: Record<string, string>): void {
  for (const name of names) delete process.env[name];
  const set = { ...byDefault, ...variables };
  for (const name of Object.keys(set)) names.add(name);
  Object.assign(process.env, set);
  delete (globalThis as { [slot]?: unknown })[slot];
}

/** What is set for the whole file, whatever its tests change. */
export function setDefaults(variables: Record<string, string>): void {
  byDefault = { ...byDefault, ...variables };
  setEnvironment({});
}
