import { existsSync, readdirSync, readFileSync } from "node:fs";
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

  it("has a line for every call of accounts, and for no other", () => {
    const named = [...readme().matchAll(/^\| `([A-Z]+ \/api\/[^`]+)`/gm)].map(([, call]) => call);
    expect(named.sort()).toEqual([...callsIn("api/auth"), ...callsIn("api/user")].sort());
  });
});

describe("docs/decisions/README.md", () => {
  it("lists every decision", () => {
    const index = readFileSync("docs/decisions/README.md", "utf8");
    const listed = [...index.matchAll(/\]\((.+?)\)/g)].map(([, file]) => file);
    const pages = readdirSync("docs/decisions").filter((file) => file !== "README.md");
    expect(listed).toEqual(pages.sort());
  });
});

/** `POST /api/auth/login` and the like, as the files of a folder say. */
function callsIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const source = readFileSync(`${folder}/${file}`, "utf8");
      const [, path, methods] = /route\("([^"]+)", \{ ([A-Z, ]+) \}\)/.exec(source) ?? [];
      return (methods ?? file).split(", ").map((method) => `${method} ${path}`);
    });
}

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
