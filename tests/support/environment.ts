import { afterEach, beforeEach } from "vitest";
import { installLogStream } from "../../lib/observability/logger.js";
import { record } from "./secrets-seen.js";

const slot = Symbol.for("linguamate.env");
const names = new Set<string>();

const standard = {
  NODE_ENV: "test",
  JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
  LOG_LEVEL: "trace",
  // Nothing listens on this port: tests call no external service.
  EXPO_PUBLIC_TOOLKIT_URL: "http://127.0.0.1:9",
};
let byDefault: Record<string, string> = standard;

/** Reset the environment for a test file. Its log lines are not printed, only searched for secrets. */
export function resetEnvironment(): void {
  installLogStream({ write: record });
  byDefault = standard;
  setEnvironment({});
}

/** Set variables for the tests of this file, over the defaults. */
export function useEnvironment(variables: Record<string, string> = {}): void {
  beforeEach(() => setEnvironment(variables));
  afterEach(() => setEnvironment({}));
}

/** Change the environment during a test. All other variables get their defaults. */
export function setEnvironment(variables: Record<string, string>): void {
  for (const name of names) delete process.env[name];
  const set = { ...byDefault, ...variables };
  for (const name of Object.keys(set)) names.add(name);
  Object.assign(process.env, set);
  delete (globalThis as { [slot]?: unknown })[slot];
}

/** Set variables for the whole file; its tests can override them. */
export function setDefaults(variables: Record<string, string>): void {
  byDefault = { ...byDefault, ...variables };
  setEnvironment({});
}
