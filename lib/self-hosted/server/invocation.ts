import type { IncomingMessage, ServerResponse } from "node:http";
import { bodyLimits } from "../../body-limits.js";
import { errorReply } from "./error-reply.js";
import { isBodyAwaited } from "./request-body.js";

/** A function as its file exports it, and for how many seconds it may run. */
export interface LoadedFunction {
  fetch(request: Request): Response | Promise<Response>;
  maxDuration?: number | undefined;
}

interface Invocation {
  outgoing: ServerResponse;
  requestId: string;
  log: (message: string, error: unknown) => void;
}

/** The platform's default of `maxDuration`. */
const secondsMax = 300;

/**
 * Run a function as the platform does: 500 without detail when it throws or gives no Response, 504
 * when `maxDuration` ends before its reply began; a reply that is still streaming then is cut. The time
 * begins when the body is in.
 */
export async function invoke(
  route: { path: string; load(): Promise<LoadedFunction> },
  request: Request,
  { outgoing, requestId, log }: Invocation,
): Promise<Response> {
  try {
    const loaded = await route.load();
    const { promise: expired, resolve: expire } = deferred<Response>();
    const stopTimer = afterBody(outgoing.req, (loaded.maxDuration ?? secondsMax) * 1000, () => {
      if (outgoing.headersSent) outgoing.destroy();
      else expire(errorReply("FUNCTION_INVOCATION_TIMEOUT", requestId));
    });
    outgoing.once("close", stopTimer);
    return adapted(await Promise.race([loaded.fetch(request), expired]));
  } catch (error) {
    log(`The function of ${route.path} failed.`, error);
    return errorReply("FUNCTION_INVOCATION_FAILED", requestId);
  }
}

/** Call `expire` when `ms` have passed during which no body was waited for. Returns what prevents it. */
function afterBody(incoming: IncomingMessage, ms: number, expire: () => void): () => void {
  const startedAt = performance.now();
  const isWaiting = () =>
    isBodyAwaited(incoming) && performance.now() - startedAt < bodyLimits.arrivalMsMax;
  const timer = setTimeout(() => (isWaiting() ? timer.refresh() : expire()), ms);
  incoming.once("end", () => timer.refresh());
  return () => clearTimeout(timer);
}

/**
 * The adapter reads ahead in a Response that was made before it replaced the global class (by a
 * `fetch`, say), and puts the message of an early failure into the body; one of its own it streams.
 */
function adapted(response: Response): Response {
  if (response instanceof Response) return response;
  const { body, status, statusText, headers } = response as Response;
  return new Response(body, { status, statusText, headers });
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
