import { createHash } from "node:crypto";

// A pure function's results, so one table serves every backend of this process.
const backendShas = new Map<string, string>();

/**
 * Rewrite a script command for a server that does not know Upstash's `allow-key-locking` flag.
 *
 * Redis refuses a script with an unknown flag, so the flag is taken off, which changes the script's
 * SHA-1: the client's SHA is translated wherever it names a script. One whose text has not been seen
 * here passes unchanged and is answered NOSCRIPT, upon which clients send the text.
 */
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

/** The reply that the client expects to its `command`, given what the backend said to the rewritten one. */
export function toClient(command: string[], result: unknown): unknown {
  return isScriptLoad(command) && typeof result === "string" ? sha1(command[2] ?? "") : result;
}

function isScriptLoad(command: string[]): boolean {
  return command[0] === "SCRIPT" && command[1]?.toUpperCase() === "LOAD";
}

function withoutLockFlag(script: string): string {
  const shebang = /^#!lua[ \t]+flags=([^\r\n]*)/.exec(script);
  if (!shebang?.[1]) return script;
  const flags = shebang[1].split(",").map((flag) => flag.trim());
  const kept = flags.filter((flag) => flag !== "allow-key-locking");
  if (kept.length === flags.length) return script;

  // The line's end stays, so that line numbers in error messages stay those of the client's text.
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
