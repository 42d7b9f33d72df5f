import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Condition, Rule } from "../../lib/alerts/rule.js";
import { ruleNames, rules, runbookSlug } from "../../lib/alerts/rules.js";
import { commands } from "../../lib/cli/commands.js";

const sources = readdirSync("lib", { recursive: true, encoding: "utf8" })
  .filter((file) => /\.m?ts$|\.mjs$/.test(file))
  .map((file) => readFileSync(join("lib", file), "utf8"))
  .join("\n");
const pages = readdirSync("docs/runbooks").filter((page) => page !== "README.md");
const textOf = (page: string) => readFileSync(join("docs/runbooks", page), "utf8");
/** The commands of a section, by its heading. */
const commandsIn = (page: string, heading: string) => {
  const [, section = ""] = textOf(page).split(`\n## ${heading}\n`);
  const blocks =
    section.split("\n## ")[0]?.matchAll(/```(?:bash|console|sql)\n([\s\S]*?)\n```/g) ?? [];
  return [...blocks].flatMap(([, block = ""]) => block.split("\n"));
};
const changing =
  /--reason|\bkill\b|\bDEL\b|\bEVAL\b|\bdelete\b|terminate|>>|rollback(?! --check)|docker|migrate:(up|down)|-X (POST|PUT|DELETE)|cron\/tick/;
/** DO NOW may change something if that is the purpose of the page and the text says so. */
const changesAtOnce: Record<string, string> = {
  "incident-response.md": "Open an incident",
};

describe("runbooks", () => {
  it.each(pages)("%s quotes only messages that the server prints", (page) => {
    expect(messagesIn(readFileSync(join("docs/runbooks", page), "utf8"))).toSatisfy(
      (messages: string[]) => messages.every((message) => sources.includes(message)),
    );
  });

  it.each(pages)("%s changes nothing before FIX without saying so", (page) => {
    const before = ["DO NOW", "CONFIRM", "DECIDE"].flatMap((heading) =>
      heading === "DO NOW" && textOf(page).includes(changesAtOnce[page] ?? "\0")
        ? []
        : commandsIn(page, heading),
    );
    expect(before.filter((line) => changing.test(line) && !line.includes("--dry-run"))).toEqual([]);
  });

  it.each(pages)("%s gives each command the options that it requires", (page) => {
    const required = commands.filter((command) => command.required !== undefined);
    const lacking = textOf(page)
      .split("\n")
      .filter((line) => {
        const command = required.find(({ name }) => line.startsWith(`npm run ops -- ${name}`));
        return command?.required?.some((option) => !line.includes(` --${option}`));
      });
    expect(lacking).toEqual([]);
  });

  it("are all in the index, with the first command of the page", () => {
    const index = textOf("README.md");
    const listed = [...index.matchAll(/^- \[[^\]]+\]\(([^)]+)\).* First: `([^`]+)`$/gm)];
    expect(listed.map(([, page]) => page).toSorted()).toEqual(pages.toSorted());
    for (const [, page = "", command] of listed) {
      expect([page, command]).toEqual([page, commandsIn(page, "DO NOW")[0]]);
    }
  });

  it.each(pages)("%s refuses to run a command while a value is not set", (page) => {
    const blocks = [...textOf(page).matchAll(/```(?:bash|console)\n([\s\S]*?)\n```/g)];
    const bare = blocks.flatMap(([, block = ""]) => block.match(/\$[A-Z_]{2,}\b.*/g) ?? []);
    expect(bare).toEqual([]);
  });

  it("list each alert by its name in the index", () => {
    const [, byAlert = ""] = textOf("README.md").split("## By alert");
    for (const name of [...ruleNames, "BreakGlassUsed"]) {
      expect(byAlert.split("## By situation")[0]).toContain(`[${name}](${runbookSlug(name)}.md)`);
    }
  });

  it.each(rules.map((rule): [string, Rule] => [rule.name, rule]))(
    "give the numbers of the rule %s",
    (name, rule) => {
      // The first paragraph, in one line.
      const [, about = ""] = textOf(`${runbookSlug(name)}.md`).split("\n\n");
      const text = about.replaceAll("\n", " ");
      expect(text).toContain(`Priority ${rule.priority}`);
      if (rule.escalates) expect(text).toContain(rule.escalates.priority);
      const conditions = rule.condition.kind === "any" ? rule.condition.of : [rule.condition];
      for (const condition of conditions)
        for (const bound of boundsOf(condition)) expect(text).toMatch(bound);
      if (rule.condition.kind === "ratio" && rule.forMinutes > 0)
        expect(text).toContain(`For ${rule.forMinutes} minutes`);
    },
  );

  it("never list clients of a port as the processes to end", () => {
    const printed = [
      sources,
      ...pages.map(textOf),
      readFileSync("docs/operations.md", "utf8"),
    ].join("\n");
    const listings = [...printed.matchAll(/\blsof -\S+ (?:tcp)?:.*/g)].map(([line]) => line);
    expect(listings.length).toBeGreaterThan(3);
    expect(listings.filter((line) => !line.includes("-sTCP:LISTEN"))).toEqual([]);
  });

  it("quote messages in the expected pages", () => {
    const quoting = pages.filter(
      (page) => messagesIn(readFileSync(join("docs/runbooks", page), "utf8")).length > 0,
    );
    expect(quoting).toEqual([
      "backend-wont-start.md",
      "database-connection-lost.md",
      "redis-down.md",
    ]);
  });
});

/** What the text of a runbook must contain. */
function boundsOf(condition: Condition): RegExp[] {
  if (condition.kind === "spike") return [new RegExp(`at least ${condition.countMin} `)];
  if (condition.kind === "gauge" && condition.value > 10) {
    const { value } = condition;
    return [new RegExp(`${value} s|${value / 60} minutes`)];
  }
  if (condition.kind !== "ratio") return [];
  const { percent, countMin, windowMinutes, part } = condition;
  return [
    percent === 50 ? /half/ : new RegExp(`\\b${percent} %`),
    new RegExp(`\\b${countMin}\\b`),
    ...(percent === 50 ? [] : [new RegExp(`in ${windowMinutes} minutes`)]),
    ...(part.slowerThanSeconds ? [new RegExp(`longer than ${part.slowerThanSeconds} s\\b`)] : []),
  ];
}

/** The first column of the tables with the header "message". */
function messagesIn(text: string): string[] {
  const tables = text.split("\n\n").filter((block) => /^\| message /.test(block));
  return tables.flatMap((block) =>
    block
      .split("\n")
      .slice(2)
      .flatMap((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? []),
  );
}
