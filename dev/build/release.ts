import { execFileSync } from "node:child_process";
import process from "node:process";
import type { Release } from "../../lib/release.js";

/** The commit of the checkout, else of the variables of the build. `unknown` without both. */
export function releaseOf(root: string): Release {
  try {
    // Fails in a folder that merely lies inside another project's checkout.
    git(root, "ls-files", "--error-unmatch", "package.json");
    const [sha = "", committedAt = ""] = git(root, "log", "-1", "--format=%H %cI").split(" ");
    const isDirty = git(root, "status", "--porcelain", "--", ".") !== "";
    return { sha: isDirty ? `${sha}-dirty` : sha, committedAt };
  } catch {
    const { VERCEL_GIT_COMMIT_SHA, GIT_COMMIT_SHA } = process.env;
    return { sha: VERCEL_GIT_COMMIT_SHA || GIT_COMMIT_SHA || "unknown", committedAt: null };
  }
}

const git = (cwd: string, ...args: string[]) =>
  execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
