import * as z from "zod";
import { download } from "./download.js";
import { FailedError, UnreachableError } from "./failures.js";
import { errorOf, exchange, type HttpAnswer } from "./http.js";
import { readReply } from "./read-reply.js";
import type { Result } from "./result.js";
import type { Credentials } from "./sign-in.js";
import { visible } from "./text.js";

export interface Api {
  url: URL;
  /**
   * These three throw on an error status and for another reply than the schema describes. They ask for the second factor
   * again where the server requires it.
   */
  get<S extends z.ZodType>(
    reply: S,
    path: string,
    query?: Record<string, string | undefined>,
  ): Promise<z.output<S>>;
  /** A read with a body, for values that must not be in a URL. */
  look<S extends z.ZodType>(reply: S, path: string, body: object): Promise<z.output<S>>;
  /** As `look`, with --reason, into a new file that only this user can read. Nothing is left of a download that breaks off. */
  download(path: string, body: object, file: string): Promise<{ bytes: number }>;
  /** A change; --reason and --dry-run are added. A problem (`isProblem`) while it is not in Redis yet. */
  change(method: "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<Change>;
}

interface Change extends Result {
  detail: Record<string, unknown>;
}

interface Options {
  url: URL;
  credentials: Credentials;
  reason: string | undefined;
  dryRun: boolean;
  /** Added to each command that is shown, such as ` --url https://api.example.com`. */
  target?: string;
}

function adviceFor(target: string): Record<string, string> {
  const signInAgain = `Your session has ended. Sign in again: \`npm run ops -- login${target}\`.`;
  return {
    token_missing: `Sign in with \`npm run ops -- login${target}\`, or set OPS_TOKEN to an API token.`,
    token_expired: signInAgain,
    session_revoked: signInAgain,
    session_expired: signInAgain,
    reauth_required: `Enter your second factor with \`npm run ops -- confirm${target}\`, then repeat this.`,
  };
}

const Changed = z.object({
  done: z.string(),
  undo: z.string().nullable(),
  /** Missing in the replies of an older release. */
  inForce: z.boolean().optional(),
  detail: z.record(z.string(), z.unknown()),
});

const pending =
  "Recorded, not active yet: Postgres is up to date, but Redis did not accept the write. The server repeats it every second, and it is active on every instance as soon as Redis accepts it. You do not have to repeat the command: `npm run ops -- status` shows whether Redis accepts writes.";

export function createApi({ url, credentials, reason, dryRun, target = "" }: Options): Api {
  const advice = { ...adviceFor(target), ...credentials.advice };

  async function send(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const token = await credentials.token();
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    return noted(exchange(url, { method, path, body, headers }));
  }

  async function noted<T>(reply: Promise<T>): Promise<T> {
    const { sent } = credentials;
    const answered = await reply.catch((error) => {
      const code = error instanceof FailedError ? error.body.code : undefined;
      if (!(error instanceof UnreachableError)) sent?.(code === "redirected");
      throw error;
    });
    sent?.(true);
    return answered;
  }

  async function ask<S extends z.ZodType>(
    reply: S,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<z.output<S>> {
    let answer = await send(method, path, body);
    if (answer.code === "reauth_required" && (await credentials.confirm().catch(unchanged))) {
      answer = await send(method, path, body);
    }
    if (answer.status >= 300) throw errorOf(answer, advice);
    return readReply(reply, answer);
  }

  return {
    url,
    look: (reply, path, body) => ask(reply, "POST", path, body),
    get(reply, path, query = {}) {
      const given = Object.entries(query).filter(
        (pair): pair is [string, string] => pair[1] !== undefined,
      );
      const search = new URLSearchParams(given).toString();
      return ask(reply, "GET", search ? `${path}?${search}` : path);
    },
    async download(path, body, file) {
      const request = async () => {
        const token = await credentials.token();
        const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
        return noted(download(url, { path, body: { ...body, reason }, headers, file }));
      };
      let answer = await request();
      if ("code" in answer && answer.code === "reauth_required" && (await credentials.confirm())) {
        answer = await request();
      }
      if ("code" in answer) throw errorOf(answer, advice);
      return answer;
    },
    async change(method, path, body = {}) {
      const answer = await ask(Changed, method, path, { ...body, reason, dryRun });
      const { done, undo, inForce = true, detail } = answer;
      const what = dryRun ? `Dry run, nothing changed. ${done}` : done;
      const lines = [
        what,
        ...(inForce ? [] : [pending]),
        ...(undo ? [`Undo: ${undo}${target}`] : []),
      ];
      return { body: answer, detail, text: lines.map(visible).join("\n"), isProblem: !inForce };
    },
  };
}

/** Nothing was sent after the refusal. */
function unchanged(error: unknown): never {
  if (error instanceof Error) error.message += " Nothing was changed.";
  throw error;
}
