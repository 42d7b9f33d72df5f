import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { backupKey, runBackup, useFolders } from "../../support/backups.js";

const folder = useFolders();

describe("npm run backup", () => {
  it.each([
    ["no command", [], "A command is missing."],
    ["an unknown command", ["erase"], "Unknown command: erase"],
    ["an unknown option", ["list", "--all"], "--all"],
    ["too many arguments", ["verify", "one", "two"], "Too many arguments: two"],
    ["a moment without a folder", ["restore", "--at", "2026-11-30T12:00:00Z"], "--at and --into"],
  ])("explains %s with exit status 2", async (_, args, message) => {
    const { status, error } = await runBackup(args, { BACKUP_URL: `file://${folder()}` });
    expect(status).toBe(2);
    expect(error).toContain(message);
    expect(error).toContain("Usage: backup COMMAND");
  });

  it.each([[["--help"]], [["help"]], [["restore", "--help"]]])(
    "prints its usage on stdout for %s, without a setting",
    async (args) => {
      const { status, out, error } = await runBackup(args, { BACKUP_URL: "", BACKUP_KEY: "" });
      expect({ status, error }).toEqual({ status: 0, error: "" });
      expect(out).toMatch(/^Usage: backup COMMAND\n/);
    },
  );

  it("fits its usage into 80 columns", async () => {
    const { error } = await runBackup([], {});
    expect(error.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it.each([
    ["BACKUP_URL", { BACKUP_URL: "" }, "BACKUP_URL required"],
    ["a BACKUP_URL of another kind", { BACKUP_URL: "ftp://host/x" }, "BACKUP_URL must be file:///"],
    ["BACKUP_KEY", { BACKUP_KEY: "" }, "BACKUP_KEY required: `npm run backup -- key` makes a key"],
    ["a key that is none", { BACKUP_KEY: "secret" }, "BACKUP_KEY must be an age identity"],
    [
      "a key with a typing error",
      { BACKUP_KEY: backupKey.replace(/.$/, (last) => (last === "Q" ? "P" : "Q")) },
      "has a key with a typing error",
    ],
    ["AWS_REGION", { BACKUP_URL: "s3://bucket/prefix" }, "AWS_REGION required for s3://"],
    ["DATABASE_URL", {}, "DATABASE_URL required"],
  ])("names a setting that is missing or wrong: %s", async (_, env, message) => {
    const given = { BACKUP_URL: `file://${folder()}`, ...env };
    const { status, error } = await runBackup(["take"], given);
    expect(status).toBe(2);
    expect(error).toContain(message);
    expect(error).not.toMatch(/AGE-SECRET-KEY-1\w/);
  });

  it("makes a key that it accepts, and that is all of stdout", async () => {
    const { status, out } = await runBackup(["key"], {});
    expect(status).toBe(0);
    const env = { BACKUP_URL: `file://${folder()}`, BACKUP_KEY: out };
    expect(await runBackup(["list"], env)).toMatchObject({ status: 0 });
  });
});

describe("archive-wal.sh", () => {
  const archive = (path: string, name: string, spool: string) =>
    spawnSync("sh", ["lib/self-hosted/archive-wal.sh", path, name, spool]).status;

  it("copies a file under its name, accepts it again, and never overwrites another", () => {
    const source = join(folder(), "segment");
    const spool = folder();
    writeFileSync(source, "one");
    expect(archive(source, "000000010000000000000001", spool)).toBe(0);
    expect(archive(source, "000000010000000000000001", spool)).toBe(0);
    writeFileSync(source, "two");
    expect(archive(source, "000000010000000000000001", spool)).not.toBe(0);
    expect(readFileSync(join(spool, "000000010000000000000001"), "utf8")).toBe("one");
    expect(readdirSync(spool)).toHaveLength(1);
  });

  it("fails without the folder or the file", () => {
    const source = join(folder(), "segment");
    expect(archive(source, "name", folder())).not.toBe(0);
    writeFileSync(source, "one");
    expect(archive(source, "name", join(folder(), "missing"))).not.toBe(0);
  });

  it("is a POSIX script", () => {
    execFileSync("sh", ["-n", "lib/self-hosted/archive-wal.sh"]);
  });
});
