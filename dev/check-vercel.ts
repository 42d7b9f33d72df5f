import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { buildOutput } from "./build/output.js";

/** Not a dependency, because it has 388 MB and is used only here. */
const builder = "vercel@60.1.3";

function servedBy(output: string) {
  const { routes, crons = [] } = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
  const entries = readdirSync(output, { recursive: true, encoding: "utf8" }).sort();
  return {
    routes,
    crons,
    functions: entries.filter((path) => path.endsWith(".func")),
    static: entries.filter((path) => path.startsWith("static/")),
  };
}

function copyProject(): string {
  const copy = mkdtempSync(join(tmpdir(), "check-vercel-"));
  const left = new Set(["node_modules", ".git", ".vercel", ".local", ".env", "coverage"]);
  cpSync(process.cwd(), copy, { recursive: true, filter: (path) => !left.has(basename(path)) });
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
  mkdirSync(join(copy, ".vercel"));
  writeFileSync(join(copy, ".vercel/project.json"), '{"settings":{}}');
  return copy;
}

function buildAsThePlatform(copy: string): void {
  try {
    execFileSync("npx", ["--yes", builder, "build"], {
      cwd: copy,
      env: { ...process.env, VERCEL_TELEMETRY_DISABLED: "1", VERCEL_INSTALL_COMPLETED: "1" },
      stdio: "pipe",
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer };
    throw new Error(`vercel build failed:\n${stdout}${stderr}`);
  }
}

const copy = copyProject();
try {
  const output = join(copy, ".vercel/output");
  const theirs = join(copy, ".vercel/theirs");
  buildAsThePlatform(copy);
  renameSync(output, theirs);
  await buildOutput(copy);
  const [expected, actual] = [servedBy(theirs), servedBy(output)];
  for (const name of ["routes", "crons", "functions", "static"] as const) {
    if (isDeepStrictEqual(actual[name], expected[name])) continue;
    console.error(`The ${name} differ from the output of \`vercel build\`.`);
    console.error("Ours:", JSON.stringify(actual[name], null, 2));
    console.error("Theirs:", JSON.stringify(expected[name], null, 2));
    process.exitCode = 1;
  }
  const served = readdirSync("public", { recursive: true, encoding: "utf8" });
  const foreign = expected.static.filter((path) => !served.includes(path.slice("static/".length)));
  if (foreign.length > 0) {
    console.error("Vercel would serve files that are not in public/:", foreign.join(", "));
    process.exitCode = 1;
  }
  if (!process.exitCode) {
    console.log(
      `vercel build writes the same ${expected.functions.length} functions, routes and crons.`,
    );
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
