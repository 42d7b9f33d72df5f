import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseDatabaseUrl } from "../database-url.js";
import { BackupError } from "./failures.js";

/** Of PostgreSQL's client, `pg_ctl` of its server, and `tar`. */
export type Tool = "pg_dump" | "pg_restore" | "pg_basebackup" | "pg_ctl" | "tar";

/** The environment of this process, without its secrets. */
export type ToolEnvironment = Record<string, string | undefined>;

/** The option names the database; the password is only in the environment. */
export function connectionTo(databaseUrl: string): { option: string; variables: ToolEnvironment } {
  const url = parseDatabaseUrl(databaseUrl);
  const password = decodeURIComponent(url.password) || url.searchParams.get("password");
  url.password = "";
  url.searchParams.delete("password");
  return { option: `--dbname=${url}`, variables: password ? { PGPASSWORD: password } : {} };
}

export function databaseNameOf(databaseUrl: string): string {
  const { pathname, username } = parseDatabaseUrl(databaseUrl);
  return decodeURIComponent(pathname.slice(1)) || decodeURIComponent(username);
}

export function withDatabase(databaseUrl: string, name: string): string {
  return Object.assign(parseDatabaseUrl(databaseUrl), {
    pathname: `/${encodeURIComponent(name)}`,
  }).toString();
}

interface Run {
  tool: Tool;
  args: readonly string[];
  environment: ToolEnvironment;
  cwd?: string;
  uid?: number;
  gid?: number;
}

/** A tool that waits for a lock or for the server may never end by itself. */
const silenceMsMax = 30 * 60_000;

/** What it prints. Throws `BackupError` after `silenceMs` without output. Ends normally only after exit status 0, so that a consumer never takes a part for the whole. */
export async function* outputOf(
  run: Run,
  silenceMs: number = silenceMsMax,
): AsyncGenerator<Uint8Array> {
  const { child, exited } = start(run, ["ignore", "pipe", "pipe"]);
  let isHung = false;
  const watch = () =>
    setTimeout(() => {
      isHung = true;
      child.kill("SIGKILL");
      // What the tool has started may keep it open.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, silenceMs);
  let timer = watch();
  try {
    for await (const chunk of child.stdout as Readable) {
      // While the consumer is busy, the tool may not write.
      clearTimeout(timer);
      yield chunk;
      timer = watch();
    }
    await exited;
  } catch (error) {
    if (!isHung) throw error;
    throw new BackupError(`${run.tool} was ended after ${silenceMs / 1000} s without output.`);
  } finally {
    clearTimeout(timer);
    child.kill();
    await exited.catch(() => {});
  }
}

/** Feeds it. When the input fails, the tool is killed before it sees an end. */
export async function feed(run: Run, input: AsyncIterable<Uint8Array>): Promise<void> {
  const { child, exited } = start(run, ["pipe", "ignore", "pipe"]);
  const { stdin } = child;
  if (!stdin) throw new Error("The tool has no stdin.");
  // A tool that ends early says more than the broken pipe.
  let inputFailure: unknown;
  const watched = (async function* () {
    try {
      yield* input;
    } catch (error) {
      inputFailure = error;
      child.kill("SIGKILL");
      throw error;
    }
  })();
  const written = pipeline(watched, stdin).catch(() => {});
  try {
    await exited;
    await written;
  } catch (error) {
    throw inputFailure ?? error;
  }
  if (inputFailure) throw inputFailure;
}

/** Throws `BackupError` when it is missing, or older than PostgreSQL of that major version. */
export async function requireTool(
  tool: Exclude<Tool, "tar">,
  major: number,
  environment: ToolEnvironment,
): Promise<void> {
  let text = "";
  for await (const chunk of outputOf({ tool, args: ["--version"], environment })) {
    text += Buffer.from(chunk).toString();
  }
  const version = Number(/\(PostgreSQL\) (\d+)/.exec(text)?.[1]);
  if (version >= major) return;
  throw new BackupError(
    `${tool} is of PostgreSQL ${version}, which is older than ${major}: ${installing(tool, major)}.`,
  );
}

function installing(tool: Tool, major?: number): string {
  const [what, name] =
    tool === "pg_ctl" ? ["server", "postgresql"] : ["client programs", "postgresql-client"];
  return `install PostgreSQL's ${what}${major ? `, version ${major} or newer` : ""} (Debian: apt-get install ${name}${major ? `-${major}` : ""})`;
}

type Stdio = "ignore" | "pipe";

function start(
  { tool, args, environment, ...place }: Run,
  stdio: [Stdio, Stdio, Stdio],
): { child: ChildProcess; exited: Promise<void> } {
  // Messages are read by this program too.
  const env = { ...environment, LC_ALL: "C" };
  const child = spawn(tool, args, { stdio, env, ...place });
  let said = "";
  child.stderr?.on("data", (bytes) => {
    said = `${said}${bytes}`.slice(-4000);
  });
  const exited = (async () => {
    const [code, killer] = await once(child, "close");
    if (code !== 0) throw new BackupError(failure(tool, said, killer ?? `status ${code}`));
  })().catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new BackupError(`${tool} is missing: ${installing(tool)}.`);
    throw error;
  });
  // Awaited later, by whom it concerns.
  exited.catch(() => {});
  return { child, exited };
}

function failure(tool: Tool, said: string, ending: string): string {
  const lines = said.trim().split("\n").filter(Boolean).slice(-3).join(" ");
  return `${tool} failed (${ending})${lines ? `: ${lines}` : "."}`;
}
