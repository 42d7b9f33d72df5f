import type { IncomingMessage, ServerResponse } from "node:http";
import { bodyLimits } from "../../body-limits.js";
import type { PlatformError } from "./error-reply.js";
import { isBodyAwaited } from "./request-body.js";

/** `maxDuration` in seconds. */
export interface LoadedFunction {
  fetch(request: Request): Response | Promise<Response>;
  maxDuration?: number | undefined;
}

interface Invocation {
  outgoing: ServerResponse;
  refuse: (code: PlatformError) => Response;
  log: (message: string, error: unknown) => void;
}

/** The platform's default. */
const secondsMax = 300;

/** As the platform: 500 on an exception, 504 after `maxDuration` from the end of the body; a started reply is cut. */
export async function invoke(
  route: { path: string; load(): Promise<LoadedFunction> },
  request: Request,
  { outgoing, refuse, log }: Invocation,
): Promise<Response> {
  try {
    const loaded = await route.load();
    return await new Promise<Response>((resolve, reject) => {
      const stopTimer = afterBody(outgoing.req, (loaded.maxDuration ?? secondsMax) * 1000, () => {
        if (outgoing.headersSent) outgoing.destroy();
        else resolve(refuse("FUNCTION_INVOCATION_TIMEOUT"));
      });
      outgoing.once("close", stopTimer);
      Promise.resolve(loaded.fetch(request)).then(adapted).then(resolve, reject);
    });
  } catch (error) {
    log(`Function failed: ${route.path}`, error);
    return refuse("FUNCTION_INVOCATION_FAILED");
  }
}

function afterBody(incoming: IncomingMessage, ms: number, expire: () => void): () => void {
  const startedAt = performance.now();
  const isWaiting = () =>
    isBodyAwaited(incoming) && performance.now() - startedAt < bodyLimits.totalMsMax;
  const timer = setTimeout(() => (isWaiting() ? timer.refresh() : expire()), ms);
  incoming.once("end", () => timer.refresh());
  return () => clearTimeout(timer);
}

/** The adapter buffers Responses of the original global class and would expose early errors; its own class is streamed. */
function adapted(response: Response): Response {
  if (response instanceof Response) return response;
  const { body, status, statusText, headers } = response as Response;
  return new Response(body, { status, statusText, headers });
}
