import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collectNativePackage } from "../../dev/build/native-packages.js";

describe("collectNativePackage", () => {
  let root: string;
  const install = (folder: string, name: string, version: string, optional = {}) => {
    const path = join(folder, "node_modules", name);
    mkdirSync(path, { recursive: true });
    const manifest = { name, version, optionalDependencies: optional };
    writeFileSync(join(path, "package.json"), JSON.stringify(manifest));
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "native-"));
    install(root, "pkg", "2.0.0", { "pkg-linux-x64-gnu": "2.0.0", "pkg-linux-arm64-gnu": "2.0.0" });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("fetches a missing or outdated binary package once, at the version of the main package", async () => {
    install(root, "pkg-linux-x64-gnu", "2.0.0");
    install(root, "pkg-linux-arm64-gnu", "1.9.9");
    const fetched: string[] = [];
    const fetchPackage = async (name: string, version: string, folder: string) => {
      fetched.push(`${name}@${version}`);
      install(folder, name, version);
    };
    const first = await collectNativePackage(root, "pkg", fetchPackage);
    const second = await collectNativePackage(root, "pkg", fetchPackage);
    expect(fetched).toEqual(["pkg-linux-arm64-gnu@2.0.0"]);
    expect(second).toEqual(first);
    expect(first.missing).toEqual([]);
    expect(first.folders.map(({ name }) => name)).toEqual([
      "pkg",
      "pkg-linux-x64-gnu",
      "pkg-linux-arm64-gnu",
    ]);
  });

  it("reports arm64 as missing when offline, but throws when x64 is missing", async () => {
    const offline = () => Promise.reject(new Error("offline"));
    await expect(collectNativePackage(root, "pkg", offline)).rejects.toThrow(
      "pkg-linux-x64-gnu@2.0.0 is missing.",
    );
    install(root, "pkg-linux-x64-gnu", "2.0.0");
    expect((await collectNativePackage(root, "pkg", offline)).missing).toEqual(["arm64"]);
  });
});
