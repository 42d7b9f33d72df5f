import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEnvFile, loadEnvFile } from "../../../lib/self-hosted/env-file.js";

const names = ["ENV_FILE_A", "ENV_FILE_B"];
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "env-file-"));
  file = join(folder, ".env");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  for (const name of names) delete process.env[name];
});

/** The two variables after loading a file with this text. */
function loaded(text: string): (string | undefined)[] {
  writeFileSync(file, text);
  loadEnvFile(file);
  return names.map((name) => process.env[name]);
}

describe("loadEnvFile", () => {
  it("sets variables that the process does not have", () => {
    expect(loaded("ENV_FILE_A=1\nENV_FILE_B=2\n")).toEqual(["1", "2"]);
  });

  it("does not override variables of the process, even empty ones", () => {
    Object.assign(process.env, { ENV_FILE_A: "process", ENV_FILE_B: "" });
    expect(loaded("ENV_FILE_A=file\nENV_FILE_B=file\n")).toEqual(["process", ""]);
  });

  it("uses the last of two lines with the same name", () => {
    writeFileSync(file, "ENV_FILE_A=first\n");
    appendFileSync(file, "ENV_FILE_A=last\n");
    expect(loaded(readFileSync(file, "utf8"))).toEqual(["last", undefined]);
  });

  it.each([
    ["comments and empty lines", "# ENV_FILE_B=no\n\nENV_FILE_A=1 # one\n", ["1", undefined]],
    ["quotes and line breaks in them", "ENV_FILE_A=\"1\n2\"\nENV_FILE_B='3'\n", ["1\n2", "3"]],
    ["Windows line ends", "ENV_FILE_A=1\r\nENV_FILE_B=2\r\n", ["1", "2"]],
    [
      "characters of URLs and base64",
      "ENV_FILE_A=redis://u:p@h:1/0\nENV_FILE_B=a+/==\n",
      ["redis://u:p@h:1/0", "a+/=="],
    ],
  ])("reads %s", (_, text, values) => {
    expect(loaded(text)).toEqual(values);
  });

  it("accepts a missing file", () => {
    expect(() => loadEnvFile(join(folder, "absent"))).not.toThrow();
  });

  it("throws for a file that cannot be read", () => {
    expect(() => loadEnvFile(folder)).toThrow("EISDIR");
  });
});

describe("createEnvFile", () => {
  it("copies the example once and never overwrites a file", () => {
    const example = join(folder, ".env.example");
    writeFileSync(example, "ENV_FILE_A=example\n");
    expect(createEnvFile(file, example)).toBe(true);
    expect(readFileSync(file, "utf8")).toBe("ENV_FILE_A=example\n");
    writeFileSync(file, "ENV_FILE_A=mine\n");
    expect(createEnvFile(file, example)).toBe(false);
    expect(readFileSync(file, "utf8")).toBe("ENV_FILE_A=mine\n");
  });

  it("throws without an example", () => {
    expect(() => createEnvFile(file, join(folder, "absent"))).toThrow("ENOENT");
  });
});
