import { hashesWithKeyId } from "../crypto/secret.js";
import type { Env } from "../env.js";

const purpose = "deployment-environment";

/** The variables that are set, each with a keyed hash of its value. */
export function releaseEnvironment(env: Env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env.deployment.settings).map(([name, value]) => [
      name,
      hashesOf(env, name, value)[0] ?? "",
    ]),
  );
}

export interface EnvironmentDifference {
  /** Set now, but not then. */
  added: string[];
  /** Set then, but not now. */
  removed: string[];
  changed: string[];
  /** Set then under a data key that is not configured any more, so not comparable. */
  unknown: string[];
}

/** What changed since `then`, which `releaseEnvironment` returned. */
export function compareEnvironment(env: Env, then: Record<string, string>): EnvironmentDifference {
  const { settings } = env.deployment;
  const difference: EnvironmentDifference = { added: [], removed: [], changed: [], unknown: [] };
  for (const name of new Set([...Object.keys(then), ...Object.keys(settings)].sort())) {
    const [before, value] = [then[name], settings[name]];
    if (before === undefined) difference.added.push(name);
    else if (value === undefined) difference.removed.push(name);
    else {
      const hashes = hashesOf(env, name, value);
      if (hashes.includes(before)) continue;
      const isComparable = hashes.some((hash) => keyIdOf(hash) === keyIdOf(before));
      difference[isComparable ? "changed" : "unknown"].push(name);
    }
  }
  return difference;
}

/** With the name, so that two variables with one value do not show it. */
const hashesOf = (env: Env, name: string, value: string) =>
  hashesWithKeyId(env, purpose, `${name}=${value}`);

const keyIdOf = (hash: string) => hash.split(".")[0];
