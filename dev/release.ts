import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

/** A step of the release failed; nothing was announced. */
class ReleaseError extends Error {
  override readonly name = "ReleaseError";
}

const usage = `Usage: npm run release -- vX.Y.Z

Tests this commit, builds its image, and pushes it to REGISTRY (default docker.io) as linguamate/backend:vX.Y.Z and
:sha-<12 characters>. The version is that of package.json. Log in first: docker login REGISTRY.`;

function main([version, ...rest]: string[]): void {
  if (!version || rest.length > 0 || !/^v\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
    console.error(usage);
    process.exitCode = 2;
    return;
  }
  try {
    release(version);
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    console.error(`Not released: ${error.message}`);
    process.exitCode = 1;
  }
}

function release(version: string): void {
  const image = `${process.env.REGISTRY?.trim() || "docker.io"}/linguamate/backend`;
  const sha = requireReleasable(version);
  const commit = `${image}:sha-${sha.slice(0, 12)}`;
  const named = `${image}:${version}`;
  requireUnreleased(named);
  run("npm", ["test"], "the tests failed");
  requireCleanTree();
  if (git("rev-parse", "HEAD") !== sha) {
    throw new ReleaseError("another commit was checked out during the tests.");
  }
  const tags = ["--tag", commit, "--tag", named];
  run(
    "docker",
    ["build", "--build-arg", `GIT_COMMIT_SHA=${sha}`, ...tags, "."],
    "the build failed",
  );
  run("docker", ["push", commit], `the push of ${commit} failed`);
  // Last, because this tag is the release.
  run("docker", ["push", named], `the push of ${named} failed`);
  console.log(doneText(version, { image, commit, named }));
}

/** The commit to release. */
function requireReleasable(version: string): string {
  const { version: own } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  if (version !== `v${own}`) {
    throw new ReleaseError(`package.json has version ${own}, not ${version}.`);
  }
  requireCleanTree();
  const sha = git("rev-parse", "HEAD");
  const tagged = tryGit("rev-parse", "--quiet", "--verify", `refs/tags/${version}^{commit}`);
  if (tagged !== undefined && tagged !== sha) {
    throw new ReleaseError(`the git tag ${version} is at ${tagged.slice(0, 12)}, not here.`);
  }
  return sha;
}

/** A registry that refuses or does not answer may have the version. */
function requireUnreleased(named: string): void {
  const args = ["manifest", "inspect", named];
  const { status, error, stderr } = spawnSync("docker", args, { encoding: "utf8" });
  if (error) throw new ReleaseError(`docker cannot be started (${error.message})`);
  if (status === 0) {
    throw new ReleaseError(`${named} exists already. A version is released once.`);
  }
  if (!/no such manifest|manifest unknown/i.test(stderr)) {
    throw new ReleaseError(`the registry did not tell whether ${named} exists: ${stderr.trim()}`);
  }
}

function requireCleanTree(): void {
  const changes = git("status", "--porcelain");
  if (changes !== "") throw new ReleaseError(`there are uncommitted changes:\n${changes}`);
}

function doneText(
  version: string,
  { image, commit, named }: { image: string; commit: string; named: string },
): string {
  const registry = image.replace(/\/linguamate\/backend$/, "");
  const start = (tag: string) => `REGISTRY=${registry} TAG=${tag} docker-compose up -d`;
  const before = tryGit("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^");
  const back = before
    ? ["npm run ops -- rollback --check", `docker pull ${image}:${before}`, start(before)]
    : ["There is no earlier release."];
  return [
    `Done: released ${version} as ${named} and ${commit}.`,
    "Start it:",
    `  ${start(version)}`,
    "Roll back:",
    ...back.map((line) => `  ${line}`),
  ].join("\n");
}

function run(command: string, args: string[], problem: string): void {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (error) throw new ReleaseError(`${command} cannot be started (${error.message})`);
  if (status !== 0) throw new ReleaseError(problem);
}

function git(...args: string[]): string {
  const found = tryGit(...args);
  if (found === undefined) throw new ReleaseError("this is not a git checkout.");
  return found;
}

function tryGit(...args: string[]): string | undefined {
  try {
    return execFileSync("git", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}

main(process.argv.slice(2));
