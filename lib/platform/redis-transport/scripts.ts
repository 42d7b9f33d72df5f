import { createHash } from "node:crypto";

/** Cached: the two hashes cost more than sending the script. */
const rewrites = new Map<string, string>();
const rewritesMax = 200;
const backendShas = new Map<string, string>();

/** Removes Upstash's `allow-key-locking` flag, which Redis rejects, and maps the script's SHA-1. Unknown SHAs get NOSCRIPT. */
export function toBackend(command: string[]): string[] {
  const [name, first = "", ...rest] = command;
  switch (name) {
    case "EVAL":
    case "EVAL_RO":
      return command.length < 2 ? command : [name, withoutLockFlag(first), ...rest];
    case "EVALSHA":
    case "EVALSHA_RO":
      return command.length < 2 ? command : [name, backendSha(first), ...rest];
    case "SCRIPT":
      if (isScriptLoad(command)) return [name, first, ...rest.map(withoutLockFlag)];
      return first.toUpperCase() === "EXISTS" ? [name, first, ...rest.map(backendSha)] : command;
    default:
      return command;
  }
}

/** Reports the SHA-1 of the script as the client sent it. */
export function toClient(command: string[], result: unknown): unknown {
  return isScriptLoad(command) && typeof result === "string" ? sha1(command[2] ?? "") : result;
}

function isScriptLoad(command: string[]): boolean {
  return command[0] === "SCRIPT" && command[1]?.toUpperCase() === "LOAD";
}

function withoutLockFlag(script: string): string {
  const known = rewrites.get(script);
  if (known !== undefined) return known;
  if (rewrites.size === rewritesMax) rewrites.clear();
  const rewritten = rewrite(script);
  rewrites.set(script, rewritten);
  return rewritten;
}

function rewrite(script: string): string {
  const shebang = /^#!lua[ \t]+flags=([^\r\n]*)/.exec(script);
  if (!shebang?.[1]) return script;
  const flags = shebang[1].split(",").map((flag) => flag.trim());
  const kept = flags.filter((flag) => flag !== "allow-key-locking");
  if (kept.length === flags.length) return script;

  // The line break stays, so that line numbers in errors match.
  const firstLine = kept.length > 0 ? `#!lua flags=${kept.join(",")}` : "";
  const rewritten = firstLine + script.slice(shebang[0].length);
  backendShas.set(sha1(script), sha1(rewritten));
  return rewritten;
}

function backendSha(clientSha: string): string {
  return backendShas.get(clientSha.toLowerCase()) ?? clientSha;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
