import * as z from "zod";
import { FailedError, NotFoundError, RefusedError, UsageError } from "./failures.js";
import { exchange, type HttpAnswer, problemText } from "./http.js";
import type { Result } from "./result.js";
import type { Credentials } from "./sign-in.js";
import { visible } from "./text.js";

export interface Api {
  url: URL;
  get(path: string, query?: Record<string, string | undefined>): Promise<unknown>;
  /** Read what is asked for in a body: an address has no place in a URL. */
  look(path: string, body: object): Promise<unknown>;
  /** Ask for a change; --reason and --dry-run go along. */
  change(method: "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<Result>;
  /** Any call, without a word about its status. */
  send(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
}

interface Options {
  url: URL;
  credentials: Credentials;
  reason: string | undefined;
  dryRun: boolean;
}

/** What to do about a refusal. */
const advice: Record<string, string> = {
  token_missing: "Sign in with `npm run ops -- login`, or set OPS_TOKEN.",
  token_expired: "Sign in again: `npm run ops -- login`.",
  session_revoked: "Sign in again: `npm run ops -- login`.",
  session_expired: "Sign in again: `npm run ops -- login`.",
  reauth_required: "Show your second factor again: `npm run ops -- confirm`.",
};

/** Of an older release there is no `inForce`. */
const Changed = z.object({
  done: z.string(),
  undo: z.string().nullable(),
  inForce: z.boolean().default(true),
});

const pending =
  "Redis has not taken it. It is written again each second; run the command again to see whether it is in force.";

/** The operators' API of one deployment, over HTTP. */
export function openApi({ url, credentials, reason, dryRun }: Options): Api {
  async function send(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const token = await credentials.token();
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    return exchange(url, { method, path, body, headers });
  }

  async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
    let answer = await send(method, path, body);
    if (answer.code === "reauth_required" && (await credentials.confirm())) {
      answer = await send(method, path, body);
    }
    if (answer.status < 300) return answer.body;
    const said = problemText(answer);
    if (answer.code === "validation_failed") throw new UsageError(said);
    if (answer.code === "not_found") throw new NotFoundError(said);
    if (answer.status !== 401 && answer.status !== 403) throw new FailedError(said);
    const todo = advice[answer.code ?? ""];
    throw new RefusedError(todo ? `${said}\n${todo}` : said);
  }

  return {
    url,
    send,
    look: (path, body) => ask("POST", path, body),
    get(path, query = {}) {
      const given = Object.entries(query).filter(
        (pair): pair is [string, string] => pair[1] !== undefined,
      );
      const search = new URLSearchParams(given).toString();
      return ask("GET", search ? `${path}?${search}` : path);
    },
    async change(method, path, body = {}) {
      const answer = await ask(method, path, { ...body, reason, dryRun });
      const { done, undo, inForce } = Changed.parse(answer);
      const what = dryRun ? `Would: ${done}` : done;
      const lines = [
        ...(inForce ? [what] : [`Recorded, not yet in force: ${what}`, pending]),
        ...(undo ? [`Undo: ${undo}`] : []),
      ];
      return { body: answer, text: lines.map(visible).join("\n"), isProblem: !inForce };
    },
  };
}
