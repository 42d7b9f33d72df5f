import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const readme = () => readFileSync("README.md", "utf8");
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
  scripts: Record<string, string>;
};
/** What a run makes, and what a reader makes. */
const made = [".env", ".local", ".vercel", "node_modules", "coverage"];

describe("README.md", () => {
  it("names only scripts that exist", () => {
    const named = [...readme().matchAll(/\b(?:npm|bun) run ([\w:-]+)/g)].map(([, name]) => name);
    expect(named).not.toEqual([]);
    expect(named.filter((name) => !(name && name in scripts))).toEqual([]);
  });

  it("names only files and folders that exist", () => {
    const paths = pathsIn(readme());
    expect(paths).not.toEqual([]);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });
});

/** The targets of relative links, and code that looks like a path of the project or a file at its top. */
function pathsIn(text: string): string[] {
  const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g)].map(([, target]) => target);
  const code = [...text.matchAll(/`([^`\s]+)`/g)].map(([, words]) => words);
  const folders = "api|lib|drizzle|tests|dev|docs|public|\\.ci|\\.github";
  const isPath = new RegExp(`^(\\./)?((${folders})/[\\w./\\[\\]*-]*|[\\w.-]+\\.(json|md|yml|ts))$`);
  return [...links, ...code.filter((words) => words !== undefined && isPath.test(words))]
    .filter((path) => path !== undefined)
    .map((path) => path.replace(/^\.\//, ""))
    .filter((path) => !path.includes("*") && !made.some((name) => path.startsWith(name)));
}
