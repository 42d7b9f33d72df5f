import { describe, expect, it } from "vitest";
import { commandOf, help } from "../../../lib/cli/command-line.js";
import { commands } from "../../../lib/cli/commands.js";
import { helpOf } from "../../../lib/cli/help.js";

const typed = (line: string) => line.split(" ");
/** As one line: the help is broken into lines of 80 columns. */
const unbroken = (text: string) => text.replace(/\s+/g, " ");
const nameOf = (line: string) => commandOf(typed(line))?.name;

describe("commandOf and help", () => {
  it.each([
    ["flag", "flag"],
    ["flag --json", "flag"],
    ["flag off stt --reason x", "flag off"],
    ["audit --since 2026-01-01T00:00:00Z", "audit"],
    ["operator token list", "operator token list"],
    ["find ada@example.com", "find"],
    ["health now", "health"],
  ])("finds the command: %s", (line, name) => {
    expect(nameOf(line)).toBe(name);
  });

  it.each([
    ["breaker opn toolkit --reason x", "breaker opn", "Did you mean breaker open SERVICE? "],
    ["cron rnu tick --reason x", "cron rnu", "Did you mean cron run JOB? "],
    ["flag of stt", "flag of", "Did you mean flag on NAME or flag off NAME? "],
    ["sesions list x", "sesions", "Did you mean sessions? "],
    ["alert", "alert", "Did you mean alerts? "],
    ["operator token make ci", "operator token make", ""],
    ["dance", "dance", ""],
  ])("reports a mistyped command in three lines: %s", (line, complaint, suggestion) => {
    expect(nameOf(line)).toBeUndefined();
    const { isAsked, text } = help(typed(line));
    expect(isAsked).toBe(false);
    const group = complaint.includes(" ") ? `${complaint.split(" ")[0]} ` : "";
    const where = `Help: npm run ops -- ${group}--help`;
    expect(text).toBe(`Unknown command: ${complaint}\n\n${suggestion}${where}`);
  });

  it("says that options follow the command", () => {
    expect(help(typed("--url https://example.com health"))).toEqual({
      isAsked: false,
      text: "Options follow the command.\n\nHelp: npm run ops -- --help",
    });
  });

  it.each([["sessions --json"], ["operator token"]])(
    "lists the commands of a group: %s",
    (line) => {
      expect(nameOf(line)).toBeUndefined();
      const [group = ""] = typed(line);
      const { isAsked, text } = help(typed(line));
      expect(isAsked).toBe(false);
      expect(text.split("\n")[0]).toBe("Which command?");
      for (const { name, args } of commands.filter((one) => one.name.startsWith(`${group} `))) {
        expect(text).toContain(`\n  ${[name, ...args].join(" ")}`);
      }
    },
  );
});

const bare = ["flag", "breaker", "alerts", "drain", "cron", "jobs", "outbox", "audit"];

describe("the help of a group", () => {
  it.each(bare)("lists all its commands when the group's name is a command itself: %s", (word) => {
    const command = commandOf([word]);
    const text = command ? helpOf(command) : "";
    expect(text).toBe(help([word, "help"]).text);
    expect(help([word, "help"]).isAsked).toBe(true);
    // Includes the command's own options.
    const [usage = ""] = text.split("\n\n");
    expect(unbroken(usage)).toMatch(new RegExp(`^usage: npm run ops -- ${word} .*\\[--json\\]$`));
    for (const { name, args, summary } of commands.filter(({ name }) =>
      `${name} `.startsWith(`${word} `),
    )) {
      expect(text).toMatch(new RegExp(`^  ${[name, ...args].join(" ")} +`, "m"));
      expect(unbroken(text)).toContain(summary);
    }
  });

  it("does not change the help of single commands", () => {
    const off = commandOf(["flag", "off", "--help"]);
    expect(off && helpOf(off)).toMatch(/^usage: npm run ops -- flag off NAME --reason TEXT/);
    expect(help(["help", "sessions"]).text).toContain("sessions revoke [WHAT]");
  });
});
