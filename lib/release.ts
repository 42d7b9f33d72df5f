import { readFileSync } from "node:fs";

export interface Release {
  /** Ends in `-dirty` for a build with uncommitted changes; `unknown` for a build outside a git checkout. */
  sha: string;
  /** ISO 8601; null if unknown. */
  committedAt: string | null;
}

/** In a file of its own, so that a commit does not change the names of all chunks. The build writes it beside them. */
export const releaseFile = "release.json";

/** The release that was built; `development` when the sources run. */
export function builtRelease(): Release {
  try {
    return JSON.parse(readFileSync(new URL(releaseFile, import.meta.url), "utf8"));
  } catch {
    return { sha: "development", committedAt: null };
  }
}
