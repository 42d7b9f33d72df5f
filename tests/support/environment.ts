import { afterEach, beforeEach } from "vitest";
import { installLogStream } from "../../lib/observability/logger.js";
import { record } from "./secrets-seen.js";

// Every line is written, and none is shown: they are searched for secrets at the end.
installLogStream({ write: record });

const slot = Symbol.for("linguamate.env");
const names = ["NODE_ENV", "JWT_SECRET", "LOG_LEVEL", "EXPO_PUBLIC_TOOLKIT_URL"];

const byDefault: Record<string, string> = {
  NODE_ENV: "test",
  JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
  LOG_LEVEL: "trace",
  // Nothing listens there: tests reach no outside service.
  EXPO_PUBLIC_TOOLKIT_URL: "http://127.0.0.1:9",
};

/** Run this file's code in an environment of its own, over the tests' defaults. */
export function useEnvironment(variables: Record<string, string> = {}): void {
  beforeEach(() => setEnvironment(variables));
  afterEach(() => setEnvironment({}));
}

/** Change the environment in the midst of a test. What is not named falls back to the defaults. */
export function setEnvironment(variables: Record<string, string>): void {
  for (const name of names) delete process.env[name];
  names.push(...Object.keys(variables).filter((name) => !names.includes(name)));
  Object.assign(process.env, byDefault, variables);
  delete (globalThis as { [slot]?: unknown })[slot];
}

/** What is set for the whole file, whatever its tests change. */
export function setDefaults(variables: Record<string, string>): void {
  Object.assign(byDefault, variables);
  setEnvironment(variables);
}

setEnvironment({});
