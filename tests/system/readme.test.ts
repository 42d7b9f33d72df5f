import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
  scripts: Record<string, string>;
};
/** Created by a command or by the reader, so not in the repository. */
const created = [".env", ".local", ".vercel", "node_modules", "coverage"];
/** Examples, not names of real files. */
const placeholders = ["drizzle/NNNN_name.sql"];
const docs = readdirSync("docs", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".md"))
  .map((file) => join("docs", file));
const pages = ["README.md", ...docs];
const read = (file: string) => readFileSync(file, "utf8");

describe("README.md", () => {
  it("has at most 120 lines", () => {
    expect(read("README.md").split("\n").length).toBeLessThanOrEqual(120);
  });

  it("mentions scripts and paths", () => {
    expect(scriptsIn(read("README.md"))).not.toEqual([]);
    expect(pathsIn("README.md")).not.toEqual([]);
  });

  it("links to every page of docs/, directly or through an index page", () => {
    const links = linksIn("README.md");
    const linked = pages.filter((page) => links.includes(page) || links.includes(dirname(page)));
    const indexes = linked.flatMap((page) => linksIn(page));
    const missing = docs.filter((page) => !linked.includes(page) && !indexes.includes(page));
    expect(missing).toEqual([]);
  });
});

describe.each(pages)("%s", (page) => {
  it("mentions only scripts that exist", () => {
    expect(scriptsIn(read(page)).filter((name) => !(name in scripts))).toEqual([]);
  });

  it("mentions only files and folders that exist", () => {
    expect(pathsIn(page).filter((path) => !existsSync(path))).toEqual([]);
  });

  it("links only to headings that exist", () => {
    const missing = [...read(page).matchAll(/\]\((?!\w+:)([^)#\s]*)#([^)\s]+)\)/g)].filter(
      ([, file, heading]) =>
        !headingsOf(file ? join(dirname(page), file) : page).includes(heading ?? ""),
    );
    expect(missing.map(([link]) => link)).toEqual([]);
  });
});

describe("docs/decisions/README.md", () => {
  it("lists every decision with its title", () => {
    const index = read("docs/decisions/README.md").replaceAll("\n  ", " ");
    const listed = [...index.matchAll(/^- \[(\d+)\]\((.+?)\) (.+)$/gm)].map(([, , file, title]) => [
      file,
      title,
    ]);
    const decisions = readdirSync("docs/decisions").filter((file) => file !== "README.md");
    const titles = decisions
      .sort()
      .map((file) => [file, /^# (.+)/.exec(read(`docs/decisions/${file}`))?.[1]]);
    expect(listed).toEqual(titles);
  });
});

function scriptsIn(text: string): string[] {
  return [...text.matchAll(/\b(?:npm|bun) run (?:--silent )?([a-z][\w:-]*)/g)].map(
    ([, name = ""]) => name,
  );
}

/** The targets of the relative links of a page, as paths from the project root. */
function linksIn(page: string): string[] {
  return [...read(page).matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g)].map(([, target = ""]) =>
    join(dirname(page), target),
  );
}

/** The links of a page, and code that looks like a path from the project root or from the page. */
function pathsIn(page: string): string[] {
  const code = [...read(page).matchAll(/`([^`\s]+)`/g)].map(([, text = ""]) => text);
  const folders = "api|lib|drizzle|tests|dev|docs|public|\\.ci|\\.github";
  const isPath = new RegExp(
    `^(\\./)?((${folders})/[\\w./\\[\\]*-]*|[\\w.-]+\\.(json|md|ya?ml|ts))$`,
  );
  const named = code
    .filter((text) => isPath.test(text))
    .map((path) => path.replace(/^\.\//, ""))
    .filter((path) => !path.includes("*") && !placeholders.includes(path))
    .map((path) => (existsSync(join(dirname(page), path)) ? join(dirname(page), path) : path));
  return [...linksIn(page), ...named].filter(
    (path) => !created.some((name) => path.startsWith(name)),
  );
}

/** The anchors of the headings of a page, as GitHub generates them. */
function headingsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}
