import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const image = "registry.example.com/linguamate/backend";

describe("npm run release", () => {
  let root = "";
  let bin = "";
  const git = (...args: string[]) => {
    const author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
    return execFileSync("git", [...author, ...args], { cwd: root, encoding: "utf8" }).trim();
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "release-script-"));
    bin = mkdtempSync(join(tmpdir(), "release-bin-"));
    // Stand-ins that record each call and fail for the one that FAIL names.
    for (const name of ["docker", "npm"]) {
      const script = `#!/bin/sh
echo "${name} $*" >> "${bin}/calls"
case "$*" in "manifest inspect"*)
  test -n "$IN_REGISTRY" && exit 0
  echo "\${INSPECTED:-no such manifest: an/image:tag}" >&2
  exit 1;;
esac
if [ -n "$FAIL" ]; then case "${name} $*" in *"$FAIL"*) exit 1;; esac; fi
if [ -n "$COMMITS" ] && [ "${name}" = npm ]; then
  git -c user.name=Ada -c user.email=ada@example.com commit --quiet --allow-empty -m third
fi
if [ -n "$DIRTY" ] && [ "${name}" = npm ]; then echo changed >> package.json; fi
exit 0
`;
      writeFileSync(join(bin, name), script);
      chmodSync(join(bin, name), 0o755);
    }
    writeFileSync(join(root, "package.json"), `{ "type": "module", "version": "1.2.3" }`);
    git("init", "--quiet");
    git("add", ".");
    git("commit", "--quiet", "-m", "first");
    git("tag", "v1.2.2");
    git("commit", "--quiet", "--allow-empty", "-m", "second");
  });
  afterEach(() => {
    for (const path of [root, bin]) rmSync(path, { recursive: true, force: true });
  });

  function release(version: string[] = ["v1.2.3"], env: Record<string, string> = {}) {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        "--import",
        resolve("node_modules/tsx/dist/esm/index.mjs"),
        resolve("dev/release.ts"),
        ...version,
      ],
      {
        cwd: root,
        encoding: "utf8",
        env: {
          PATH: `${bin}:${process.env.PATH}`,
          REGISTRY: "registry.example.com",
          ...env,
        },
      },
    );
    return { status, out: stdout, error: stderr };
  }
  const calls = () =>
    existsSync(join(bin, "calls"))
      ? readFileSync(join(bin, "calls"), "utf8").trim().split("\n")
      : [];

  it("tests, builds and pushes the image by commit and then by version, and prints the rollback", () => {
    const sha = git("rev-parse", "HEAD");
    const commit = `${image}:sha-${sha.slice(0, 12)}`;
    const { status, out } = release();
    expect(calls()).toEqual([
      `docker manifest inspect ${image}:v1.2.3`,
      "npm test",
      `docker build --build-arg GIT_COMMIT_SHA=${sha} --tag ${commit} --tag ${image}:v1.2.3 .`,
      `docker push ${commit}`,
      `docker push ${image}:v1.2.3`,
    ]);
    expect(status).toBe(0);
    expect(out).toContain(`Done: released v1.2.3 as ${image}:v1.2.3 and ${commit}.`);
    expect(out).toContain("  npm run ops -- rollback --check");
    expect(out).toContain(`  docker pull ${image}:v1.2.2`);
    expect(out).toContain("  REGISTRY=registry.example.com TAG=v1.2.2 docker-compose up -d");
  });

  it("uses docker.io without REGISTRY", () => {
    expect(release(["v1.2.3"], { REGISTRY: "" }).out).toContain(
      "docker.io/linguamate/backend:v1.2.3",
    );
  });

  it.each([
    ["npm test", "the tests failed"],
    ["docker build", "the build failed"],
    ["docker push registry.example.com/linguamate/backend:sha-", "failed"],
    ["docker push registry.example.com/linguamate/backend:v1.2.3", "failed"],
  ])(
    "announces nothing when %s fails, does no later step, and can be repeated",
    (failing, problem) => {
      const { status, out, error } = release(["v1.2.3"], { FAIL: failing });
      expect(status).toBe(1);
      expect(error).toContain("Not released: ");
      expect(error).toContain(problem);
      expect(out).not.toMatch(/Done|released/);
      expect(calls().at(-1)).toContain(failing);
      expect(release().out).toContain("Done: released v1.2.3");
    },
  );

  it("never pushes the version before the commit", () => {
    release(["v1.2.3"], { FAIL: "backend:sha-" });
    expect(calls().filter((line) => line.includes("push") && line.endsWith("v1.2.3"))).toEqual([]);
  });

  it.each<[string, () => void, string]>([
    ["uncommitted changes", () => writeFileSync(join(root, "new.txt"), "x"), "uncommitted changes"],
    [
      "another version in package.json",
      () => {
        writeFileSync(join(root, "package.json"), `{ "type": "module", "version": "1.3.0" }`);
        git("commit", "--quiet", "-am", "third");
      },
      "package.json has version 1.3.0, not v1.2.3",
    ],
    [
      "the git tag at another commit",
      () => git("tag", "v1.2.3", "HEAD^"),
      "the git tag v1.2.3 is at",
    ],
    [
      "no git checkout",
      () => rmSync(join(root, ".git"), { recursive: true }),
      "not a git checkout",
    ],
  ])("refuses %s, before anything runs", (_, prepare, problem) => {
    prepare();
    const { status, error } = release();
    expect(status).toBe(1);
    expect(error).toContain(problem);
    expect(calls()).toEqual([]);
  });

  it("refuses a version that is in the registry already", () => {
    const { status, error } = release(["v1.2.3"], { IN_REGISTRY: "yes" });
    expect([status, calls()]).toEqual([1, [`docker manifest inspect ${image}:v1.2.3`]]);
    expect(error).toContain("exists already");
  });

  it.each(["denied: requested access to the resource is denied", "dial tcp: i/o timeout"])(
    "refuses when the registry cannot tell whether it has the version (%s)",
    (reason) => {
      const { status, error } = release(["v1.2.3"], { INSPECTED: reason });
      expect([status, calls()]).toEqual([1, [`docker manifest inspect ${image}:v1.2.3`]]);
      expect(error).toContain(reason);
    },
  );

  it("takes the answer of a registry that does not know the manifest as not released", () => {
    expect(release(["v1.2.3"], { INSPECTED: "manifest unknown: manifest unknown" }).status).toBe(0);
  });

  it("builds nothing when another commit was checked out during the tests", () => {
    const { status, error } = release(["v1.2.3"], { COMMITS: "yes" });
    expect(status).toBe(1);
    expect(error).toContain("another commit");
    expect(calls().at(-1)).toBe("npm test");
  });

  it("builds nothing when the tests changed a file", () => {
    const { status, error } = release(["v1.2.3"], { DIRTY: "yes" });
    expect(status).toBe(1);
    expect(error).toContain("uncommitted changes");
    expect(calls().at(-1)).toBe("npm test");
  });

  it("says that docker is missing", () => {
    rmSync(join(bin, "docker"));
    symlinkSync(execFileSync("which", ["git"], { encoding: "utf8" }).trim(), join(bin, "git"));
    const { status, error } = release(["v1.2.3"], { PATH: bin });
    expect(status).toBe(1);
    expect(error).toContain("docker cannot be started");
  });

  it.each([[[]], [["1.2.3"]], [["v1.2"]], [["v1.2.3", "--force"]], [["v1.2.3;id"]]])(
    "shows the usage for %j",
    (args) => {
      const { status, error } = release(args);
      expect(status).toBe(2);
      expect(error).toContain("Usage: npm run release -- vX.Y.Z");
      expect(calls()).toEqual([]);
    },
  );
});
