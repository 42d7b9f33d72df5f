import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bundleOps, isCurrent } from "../../dev/ops-bundle.js";

const directory = mkdtempSync(join(tmpdir(), "linguamate-test-bundle-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("the bundle of the CLI", () => {
  it("is current until one of its sources changes", async () => {
    const file = join(directory, "deeper", "ops.mjs");
    expect(isCurrent(file)).toBe(false);
    await bundleOps(file);
    expect(isCurrent(file)).toBe(true);

    const [header = "", ...code] = readFileSync(file, "utf8").split("\n");
    const { sources, hash } = JSON.parse(header.slice(3));
    expect(sources).toEqual(expect.arrayContaining(["package-lock.json", "lib/cli/ops.ts"]));
    const rewrite = (changed: object) => {
      const other = JSON.stringify({ sources, hash, ...changed });
      writeFileSync(file, [`// ${other}`, ...code].join("\n"));
      return isCurrent(file);
    };
    expect(rewrite({})).toBe(true);
    expect(rewrite({ hash: "0".repeat(64) })).toBe(false);
    expect(rewrite({ sources: [...sources, "lib/cli/deleted.ts"] })).toBe(false);
  });

  it("has no driver of a store, so that it starts fast", async () => {
    const file = join(directory, "ops.mjs");
    await bundleOps(file);
    expect(statSync(file).size).toBeLessThan(500_000);
    const [header = ""] = readFileSync(file, "utf8").split("\n", 1);
    const { packages } = JSON.parse(header.slice("// ".length)) as { packages: string[] };
    expect(packages).toContain("zod");
    const drivers = /^(ioredis|pg|@neondatabase\/.*|@upstash\/.*|drizzle-orm|pino)$/;
    expect(packages.filter((name) => drivers.test(name))).toEqual([]);
  });
});
