import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { help } from "../../../lib/cli/command-line.js";
import { commands } from "../../../lib/cli/commands.js";
import { groupUsage, helpOf } from "../../../lib/cli/help.js";
import { opsInProcess } from "../../support/ops-command.js";

const tooLong = (text: string) => text.split("\n").filter((line) => stringWidth(line) > 80);
const names = commands.map(({ name }) => name);
const groups = [...new Set(names.map((name) => name.split(" ")[0] ?? ""))];
const env = { OPS_URL: "http://127.0.0.1:1" };

describe("no line is longer than 80 columns", () => {
  it.each([["--help"], [""], ["help"]])("in the general help: ops %s", (word) => {
    const { text } = help(word ? [word] : []);
    expect(text).toContain("exit status: 0");
    expect(tooLong(text)).toEqual([]);
  });

  it.each(commands.map((command) => [command.name, command] as const))(
    "in the help of a command: ops %s --help",
    (_, command) => {
      expect(tooLong(helpOf(command))).toEqual([]);
    },
  );

  it.each(groups)("in the list of a group: ops %s", (group) => {
    expect(tooLong(groupUsage(group) ?? "")).toEqual([]);
    expect(tooLong(help([group, "nonsense"]).text)).toEqual([]);
    expect(tooLong(help([`${group}x`]).text)).toEqual([]);
  });

  it.each(names)("after wrong usage: ops %s --nonsense", async (name) => {
    for (const mistake of [["--nonsense"], ["--url"], ["a", "b", "c", "d"]]) {
      const { status, error } = await opsInProcess([...name.split(" "), ...mistake], { env });
      // The group's list for a word that begins no command.
      expect(status).toBe(2);
      expect(tooLong(error)).toEqual([]);
    }
  });
});

describe("the usage line of a command", () => {
  it("is broken between options only", () => {
    const set = commands.find(({ name }) => name === "flag set");
    expect(set && helpOf(set).split("\n\n")[0]?.split("\n")).toEqual([
      "usage: npm run ops -- flag set NAME [--percentage PERCENTAGE] [--users USERS]",
      "       [--public] [--no-public] --reason TEXT [--dry-run] [--url URL] [--json]",
    ]);
  });
});
