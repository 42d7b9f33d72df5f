import type { Command } from "./command.js";
import { commands } from "./commands.js";
import { brokenAtSpaces, columnsUsual } from "./text.js";

/** Also in a pipe, and in a wide terminal. */
const inShortLines = (text: string) => brokenAtSpaces(text, columnsUsual);

/** The general help: one line per group of commands, options, exit status. */
export function usage(): string {
  const lines = groups().map(([name, members]) => {
    const [only] = members;
    const isAlone = members.length === 1 && only?.name === name;
    const about = isAlone
      ? only.summary
      : members.map((member) => member.name.slice(name.length + 1) || name).join(" · ");
    return `  ${name.padEnd(12)} ${about}`;
  });
  return inShortLines(`usage: npm run ops -- COMMAND [--url URL] [--json] [--help]

${lines.join("\n")}

  npm run ops -- GROUP --help    list the commands of a group
  npm run ops -- COMMAND --help  how to use a command

  --url          the deployment to call
                 (default: $OPS_URL, else http://localhost:$PORT)
  --json         print the response as JSON; a failure is then one JSON object
                 on stderr, with a code and a message
  --reason       why you make the change, 3 to 500 characters; required for
                 changes, kept in the audit log
  --dry-run      show what a change would do, without doing it; needs no recent
                 second factor
  --break-glass  use OPS_TOKEN, also if you are signed in

Sign in with \`login\`. Without a session, the CLI uses an API token of
\`operator token create\` in OPS_TOKEN. The break-glass token is used only with
--break-glass and for \`operator enrol\`: each use pages the person on call.
OPS_TOKEN is not read from .env, and is sent only to $OPS_URL and to this
machine. Nothing secret is sent over http:// elsewhere. Without a terminal,
\`login\` reads the e-mail, the password and the code from stdin, one per line.

exit status: 0  done; a list exits with 0 also when it lists problems
             1  a problem was found, or the request failed
             2  wrong usage, nothing was sent or changed
             3  refused: not signed in, or no permission`);
}

/** For a command that is also a group: the help of both. */
export function helpOf(command: Command): string {
  const isGroup = commands.some(({ name }) => name.startsWith(`${command.name} `));
  return (isGroup ? groupUsage(command.name) : null) ?? usageOf(command);
}

/** Null for an unknown group. */
export function groupUsage(word: string): string | null {
  const members = commands.filter(({ name }) => name.split(" ")[0] === word);
  if (members.length === 0) return null;
  const width = Math.max(...members.map((member) => lineOf(member).length));
  const lines = members.map((member) => `  ${lineOf(member).padEnd(width)}  ${member.summary}`);
  const changing = members.some(({ changes }) => changes)
    ? "\n\nCommands that change something take --reason TEXT and --dry-run."
    : "";
  const bare = members.find(({ name }) => name === word);
  const heading = bare ? usageOf(bare) : `usage: npm run ops -- ${word} …`;
  return `${heading}\n\n${inShortLines(lines.join("\n"))}${changing}`;
}

function usageOf(command: Command): string {
  const notes = command.notes ? `\n\n${command.notes}` : "";
  return `${usageLineOf(command)}\n\n${inShortLines(`${command.summary}${notes}`)}`;
}

/** Broken between options. */
export function usageLineOf(command: Command, ...more: string[]): string {
  const own = Object.entries(command.options ?? {}).map(([name, { type }]) => {
    const option = type === "string" ? `--${name} ${name.toUpperCase()}` : `--${name}`;
    return command.required?.includes(name) ? option : `[${option}]`;
  });
  const change = command.changes ? ["--reason TEXT", "[--dry-run]"] : [];
  const parts = [...own, ...change, "[--url URL]", "[--json]", ...more];
  const lines = [`usage: npm run ops -- ${lineOf(command)}`];
  for (const part of parts) {
    const longer = `${lines.at(-1)} ${part}`;
    if (longer.length <= columnsUsual) lines[lines.length - 1] = longer;
    else lines.push(`       ${part}`);
  }
  return lines.join("\n");
}

export function lineOf({ name, args }: Command): string {
  return [name, ...args].join(" ");
}

function groups(): [string, Command[]][] {
  const byWord = new Map<string, Command[]>();
  for (const command of commands) {
    const [word = ""] = command.name.split(" ");
    byWord.set(word, [...(byWord.get(word) ?? []), command]);
  }
  return [...byWord];
}
