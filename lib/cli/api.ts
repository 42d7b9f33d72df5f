import * as z from "zod";
import { FailedError, NotFoundError, RefusedError, UsageError } from "./failures.js";
import { exchange, type HttpAnswer, problemText } from "./http.js";
import type { Result } from "./result.js";
import type { Credentials } from "./sign-in.js";
import { visible } from "./text.js";

export interface Api {
  url: URL;
  /** These three throw on an error status. They ask for the second factor again where the server requires it. */
  get(path: string, query?: Record<string, string | undefined>): Promise<unknown>;
  /** A read with a body, for values that must not be in a URL. */
  look(path: string, body: object): Promise<unknown>;
  /** A change; --reason and --dry-run are added. A problem (`isProblem`) while it is not in Redis yet. */
  change(method: "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<Result>;
  /** Does not throw on an error status, only without an answer. */
  send(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
}

interface Options {
  url: URL;
  credentials: Credentials;
  reason: string | undefined;
  dryRun: boolean;
}

const advice: Record<string, string> = {
  token_missing: "Sign in with `npm run ops -- login`, or set OPS_TOKEN.",
  token_expired: "Your session has ended. Sign in again: `npm run ops -- login`.",
  session_revoked: "Your session has ended. Sign in again: `npm run ops -- login`.",
  session_expired: "Your session has ended. Sign in again: `npm run ops -- login`.",
  reauth_required: "Enter your second factor again: `npm run ops -- confirm`.",
};

/** An older release does not send `inForce`. */
const Changed = z.object({
  done: z.string(),
  undo: z.string().nullable(),
  inForce: z.boolean().default(true),
});

const pending =
  "The change is stored in Postgres, but Redis did not accept it. The server retries every second. Run the command again to check.";

export function createApi({ url, credentials, reason, dryRun }: Options): Api {
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
    const problem = problemText(answer);
    if (answer.code === "validation_failed") throw new UsageError(problem);
    if (answer.code === "not_found") throw new NotFoundError(problem);
    if (answer.status !== 401 && answer.status !== 403) throw new FailedError(problem);
    const todo = advice[answer.code ?? ""];
    throw new RefusedError(todo ? `${problem}\n${todo}` : problem);
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
      const what = dryRun ? `Dry run, nothing changed. Would do: ${done}` : done;
      const lines = [
        ...(inForce ? [what] : [`Recorded, not active yet: ${what}`, pending]),
        ...(undo ? [`Undo: ${undo}`] : []),
      ];
      return { body: answer, text: lines.map(visible).join("\n"), isProblem: !inForce };
    },
  };
}
