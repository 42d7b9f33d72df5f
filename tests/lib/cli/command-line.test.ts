import { describe, expect, it } from "vitest";
import { commandOf, help } from "../../../lib/cli/command-line.js";
import { commands } from "../../../lib/cli/commands.js";
import { helpOf } from "../../../lib/cli/help.js";

const typed = (line: string) => line.split(" ");
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
    ["breaker opn toolkit --reason x", "Unknown command: breaker opn"],
    ["cron rnu tick --reason x", "Unknown command: cron rnu"],
    ["sessions kill --user x", "Unknown command: sessions kill"],
    ["operator token make ci", "Unknown command: operator token make"],
    ["sessions --json", "Which command?"],
    ["operator token", "Which command?"],
  ])("reports a mistyped command and lists its group: %s", (line, complaint) => {
    expect(nameOf(line)).toBeUndefined();
    const [group = ""] = typed(line);
    const { isAsked, text } = help(typed(line));
    expect(isAsked).toBe(false);
    expect(text.split("\n")[0]).toBe(complaint);
    for (const { name, args } of commands.filter((one) => one.name.startsWith(`${group} `))) {
      expect(text).toContain(`\n  ${[name, ...args].join(" ")}`);
    }
  });
});

const bare = ["flag", "breaker", "alerts", "drain", "cron", "jobs", "outbox", "audit"];

describe("the help of a group", () => {
  it.each(bare)("lists all its commands when the group's name is a command itself: %s", (word) => {
    const command = commandOf([word]);
    const text = command ? helpOf(command) : "";
    expect(text).toBe(help([word, "help"]).text);
    expect(help([word, "help"]).isAsked).toBe(true);
    // Includes the command's own options.
    expect(text).toMatch(new RegExp(`^usage: npm run ops -- ${word} .*\\[--json\\]\n\n`));
    for (const { name, args, summary } of commands.filter(({ name }) =>
      `${name} `.startsWith(`${word} `),
    )) {
      expect(text).toMatch(new RegExp(`^  ${[name, ...args].join(" ")} +`, "m"));
      expect(text).toContain(summary);
    }
  });

  it("does not change the help of single commands", () => {
    const off = commandOf(["flag", "off", "--help"]);
    expect(off && helpOf(off)).toMatch(/^usage: npm run ops -- flag off NAME --reason TEXT/);
    expect(help(["help", "sessions"]).text).toContain("sessions revoke [ID]");
  });
});
