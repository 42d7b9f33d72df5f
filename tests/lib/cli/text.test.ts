import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import {
  brokenAtSpaces,
  json,
  table,
  visible,
  visibleLines,
  wrapped,
} from "../../../lib/cli/text.js";

/** Characters that move the cursor, change colours, ring the bell or change the text direction. */
const controlCharacters =
  "a\u001b]0;owned\u0007b\u009b2Jc\u202ed\u2066e\nf\rg\u0000h\u007fi\u2028j\u{e0001}k";
const escaped =
  "a\\u001b]0;owned\\u0007b\\u009b2Jc\\u202ed\\u2066e\\u000af\\u000dg\\u0000h\\u007fi\\u2028j\\udb40\\udc01k";

describe("text for a terminal", () => {
  it("escapes control characters and leaves other text unchanged", () => {
    expect(visible(controlCharacters)).toBe(escaped);
    expect(visible("Ünï's 電話 📱 – “a\\b”")).toBe("Ünï's 電話 📱 – “a\\b”");
  });

  it("keeps line breaks of the command itself", () => {
    expect(visibleLines("one\ntwo\u001b[2J\n")).toBe("one\ntwo\\u001b[2J\n");
  });

  it("has one line per row with aligned columns, for any content", () => {
    const rows = [
      { name: "phone\nsecond-row\u001b[31m", state: "live" },
      { name: { kind: "\u009b" }, state: "\u0007" },
      { name: ["a\nb"], state: null },
    ];
    const [headings = "", ...others] = table(rows).split("\n");
    expect(others).toEqual([
      "phone\\u000asecond-row\\u001b[31m  live",
      '{"kind":"\\u009b"}                \\u0007',
      '["a\\nb"]                         -',
    ]);
    expect(headings.indexOf("state")).toBe(others[0]?.indexOf("live"));
  });

  it("moves long columns below their row and shortens times to fit the width", () => {
    const [one, other] = ["a".repeat(36), "b".repeat(36)];
    const rows = [
      {
        at: "2026-01-31T08:00:00.123Z",
        actor: one,
        subject: other,
        correlation: one,
        reason: "why",
      },
      {
        at: "2026-01-31T08:00:01.000Z",
        actor: null,
        subject: "x\ny",
        correlation: null,
        reason: null,
      },
    ];
    expect(table(rows, "None.", ["actor", "subject", "correlation"]).split("\n")).toEqual([
      "at                    reason",
      "2026-01-31T08:00:00Z  why",
      `    actor ${one}`,
      `    subject ${other}`,
      `    correlation ${one}`,
      "2026-01-31T08:00:01Z  -",
      "    subject x\\u000ay",
    ]);
    expect(table([], "Nobody.", ["actor"])).toBe("Nobody.");
  });

  it("moves the widest columns below their row until the rest fits 80 columns, and cuts nothing", () => {
    const url = `https://example.com/${"path/".repeat(30)}`;
    const rows = [
      { state: "firing", rule: "ErrorRate", detail: "電話".repeat(12), owner: "a".repeat(30), url },
      { state: "inactive", rule: "Latency", detail: null, owner: "b", url: null },
    ];
    const lines = table(rows).split("\n");
    expect(lines[0]).toBe("state     rule       owner");
    expect(lines.at(-1)).toBe("inactive  Latency    b");
    expect(lines.map((line) => stringWidth(line)).filter((width) => width > 80)).toEqual([]);
    expect(lines.join("").replaceAll(" ", "")).toContain(`url${url}`);
  });

  it("wraps a text in the last column, so that one long text leaves each other row its line", () => {
    const rows = [
      { is: "pass", name: "jobs", detail: "dead letters: 0" },
      { is: "warn", name: "drain", detail: `lag 53 s, ${"keeps every row, ".repeat(6)}`.trimEnd() },
    ];
    expect(table(rows).split("\n")).toEqual([
      "is    name   detail",
      "pass  jobs   dead letters: 0",
      "warn  drain  lag 53 s, keeps every row, keeps every row, keeps every row, keeps",
      "             every row, keeps every row, keeps every row,",
    ]);
    // An ID in several lines cannot be copied.
    const [first] = rows;
    expect(table([{ ...first, detail: "a".repeat(90) }])).toContain("\n    detail aaa");
  });

  it("ends no wrapped line with a space", () => {
    const long = "a word of a detail ".repeat(12).trim();
    const texts = [
      wrapped(long, 0),
      table([{ is: "fail", name: "x", detail: long }], "None.", ["detail"]),
      table([{ is: "fail", name: "x".repeat(60), detail: long }]),
      brokenAtSpaces(long),
    ];
    for (const text of texts) {
      expect(text.split("\n").length).toBeGreaterThan(2);
      expect(text).not.toMatch(/ $/m);
      expect(text.replace(/\s+/g, " ")).toContain(long);
    }
  });

  it("keeps the second column, which decides, before wider and narrower ones", () => {
    const rows = [
      {
        id: "a".repeat(22),
        state: "revoked (password_changed)",
        device: "a phone",
        at: "x".repeat(24),
      },
      { id: "b".repeat(22), state: "live", device: "a tablet", at: null },
    ];
    expect(table(rows).split("\n")).toEqual([
      `id${" ".repeat(22)}state                       device`,
      `${"a".repeat(22)}  revoked (password_changed)  a phone`,
      `    at ${"x".repeat(24)}`,
      `${"b".repeat(22)}  live                        a tablet`,
    ]);
  });

  it("breaks long lines at spaces, but no command and no row of Markdown", () => {
    const id = "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    const undo = `Undo: npm run ops -- operator revoke ${id} --role admin --reason "undo"`;
    const row = `| ${"word ".repeat(20)}|`;
    const short = `a word    ${"of a table ".repeat(5)}`;
    for (const line of [undo, row, short]) expect(brokenAtSpaces(line)).toBe(line);
    const done = `Made ${id} an operator. They sign in again, and set up a second factor.`;
    expect(brokenAtSpaces(`${done}\n${undo}`).split("\n")).toEqual([
      `Made ${id} an operator. They sign in again, and`,
      "set up a second factor.",
      undo,
    ]);
    const usage = `  operator grant USER  make a user (ID or e-mail) an operator, or an admin with --role admin`;
    expect(brokenAtSpaces(usage).split("\n")).toEqual([
      "  operator grant USER  make a user (ID or e-mail) an operator, or an admin with",
      "                       --role admin",
    ]);
  });

  it("fits a terminal of fewer than 80 columns, too", () => {
    const columns = Object.getOwnPropertyDescriptor(process.stdout, "columns");
    Object.defineProperty(process.stdout, "columns", { value: 60, configurable: true });
    try {
      const rows = [{ name: "drain", is: "warn", detail: "the lag of the drain ".repeat(5) }];
      const text = `${brokenAtSpaces("a code is mailed to you ".repeat(5))}\n${table(rows)}`;
      for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(60);
    } finally {
      if (columns) Object.defineProperty(process.stdout, "columns", columns);
      else Reflect.deleteProperty(process.stdout, "columns");
    }
  });

  it("aligns characters of two columns", () => {
    const rows = [
      { name: "電話 📱", is: "on" },
      { name: "phone", is: "off" },
    ];
    expect(table(rows)).toBe("name     is\n電話 📱  on\nphone    off");
  });

  it("is equivalent JSON with --json", () => {
    const body = { [controlCharacters]: [controlCharacters, "plain"] };
    expect(JSON.parse(json(body))).toEqual(body);
    expect(json(body)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });
});
