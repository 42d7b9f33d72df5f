import { blockMembers, requireServed } from "../admission/admission.js";
import { type Operator, requireOperator } from "../auth/operator/operator.js";
import { requireLiveSession } from "../auth/session/live-session.js";
import type { AccessClaims, ShownClaims } from "../auth/token/access-token.js";
import type { Context } from "../context.js";
import { AppError, catalogue, type ErrorCode } from "../errors.js";
import { attemptFailed } from "../rate-limit/attempt-events.js";
import { askRedis, blockableAddress } from "./ask-redis.js";
import { authenticate, requireStepUp } from "./authenticate.js";
import { readCountedBody } from "./counted-body.js";
import { type AnyInput, bodyBytesMaxOf, type Client, type Endpoint } from "./endpoint.js";
import type { Exchange } from "./exchange.js";
import { handleOnce } from "./handle-once.js";
import { readJsonBody, readText, requireStorable } from "./json-body.js";
import { giveBackAttemptLater, giveBackLater } from "./limits.js";
import { readMultipart } from "./multipart-body.js";
import { requireKey, shownOperatorKey } from "./operator-key.js";
import type { Reply } from "./reply.js";
import { validBody } from "./valid-body.js";
import { validated } from "./validation.js";
import { watchAuthFields } from "./watch.js";

/** What was asked before a body is asked again after one that took longer. */
const slowBodyMs = 5000;

/**
 * The one pass of every request: token (no I/O) → body where a limit counts by it → one Redis round
 * trip (session, limits) → session → body → handler → present.
 */
export async function pass(endpoint: Endpoint, exchange: Exchange): Promise<Reply> {
  const { ctx, request } = exchange;
  const key = shownOperatorKey(endpoint, exchange);
  const claims = key ? undefined : await authenticate(endpoint, exchange);
  const countedBody = endpoint.subject && (await readCountedBody(endpoint, exchange, claims));
  const client = await askRedis(endpoint, exchange, claims, countedBody, key);
  const keyHolder = key && (await requireKey(endpoint, exchange, key, client));
  // What was counted in advance for the key is settled: what follows is no attempt to get in.
  if (key) client.reserved = { ...client.reserved, counts: [] };
  const asked = { claims, countedBody, client, keyHolder };
  const input = await inputOf(endpoint, exchange, asked).catch((refusal) => {
    // Nothing that the caller showed to the handler was compared yet.
    giveBackLater(ctx, client.reserved);
    throw refusal;
  });
  try {
    const reply = await handleOnce(endpoint, request, input);
    giveBackAttemptLater(ctx, client.reserved);
    return reply;
  } catch (error) {
    if (isFailedAttempt(error)) attemptFailed(ctx, client.reserved);
    else giveBackLater(ctx, client.reserved);
    throw error;
  }
}

interface Asked {
  claims: AccessClaims | ShownClaims | undefined;
  countedBody: unknown;
  client: Client;
  keyHolder: Operator | undefined;
}

/** What the handler is given, once the caller's session and the form of the request have been accepted. */
async function inputOf(endpoint: Endpoint, exchange: Exchange, asked: Asked): Promise<AnyInput> {
  const { ctx, request, params, url } = exchange;
  const { claims, countedBody, client } = asked;
  let caller = await callerOf(endpoint, ctx, asked);
  const isChange = endpoint.operation?.kind === "change";
  if (claims && (endpoint.stepUp || isChange)) requireStepUp(claims, ctx.now);
  const query = endpoint.query && validated(endpoint.query, queryOf(url));
  const readAt = performance.now();
  const form = endpoint.upload && (await readMultipart(request, endpoint.upload));
  const body = endpoint.subject
    ? countedBody
    : endpoint.body &&
      validBody(
        ctx,
        endpoint.body,
        form ? form.fields : await readWatchedBody(ctx, request, endpoint),
        claims?.userId,
      );
  const raw =
    endpoint.auth === "webhook" ? await readText(request, bodyBytesMaxOf(endpoint)) : undefined;
  if (!endpoint.subject && performance.now() - readAt > slowBodyMs) {
    caller = await callerOf(endpoint, ctx, await askedAgain(endpoint, exchange, asked));
  }
  const { headers } = request;
  const file = form?.file;
  return {
    ctx,
    headers,
    body,
    query,
    params,
    client,
    claims,
    ...caller,
    raw,
    file,
  } as AnyInput;
}

/** Who calls, once the session lives and may operate what the endpoint operates. */
async function callerOf(
  { auth, operation }: Endpoint,
  ctx: Context,
  { claims, client, keyHolder }: Asked,
) {
  const needsActor = auth === "user" || auth === "operator";
  const actor =
    claims && needsActor ? await requireLiveSession(ctx, claims, client.session) : undefined;
  const operator =
    claims && actor && operation ? requireOperator(ctx, actor, claims, operation) : keyHolder;
  return { actor, operator };
}

/**
 * The same, asked again: during a body of minutes a session or a route group may have ended. Postgres is
 * asked, for without a count to write nothing tells a Redis that takes no writes.
 */
async function askedAgain(endpoint: Endpoint, exchange: Exchange, asked: Asked): Promise<Asked> {
  const { ctx } = exchange;
  ctx.now = new Date();
  ctx.gate = null;
  const key = shownOperatorKey(endpoint, exchange);
  const { claims } = asked;
  await requireServed(ctx, blockMembers(blockableAddress(ctx, key), claims?.userId), null);
  const client = { ...asked.client, session: null };
  const keyHolder = key && (await requireKey(endpoint, exchange, key, client));
  return { ...asked, client, keyHolder };
}

async function readWatchedBody(
  ctx: Context,
  request: Request,
  endpoint: Endpoint,
): Promise<unknown> {
  const body = await readJsonBody(request, bodyBytesMaxOf(endpoint));
  watchAuthFields(ctx, body);
  return body;
}

function queryOf({ searchParams }: URL): Record<string, string> {
  const query = Object.fromEntries(searchParams);
  requireStorable(query);
  return query;
}

/** These ask for something else to be shown first: nothing was guessed. */
const askingForMore: ErrorCode[] = ["otp_required", "token_expired"];

/** Only who showed a wrong credential has failed; whatever else went wrong is not the caller's doing. */
function isFailedAttempt(error: unknown): boolean {
  if (!(error instanceof AppError) || askingForMore.includes(error.code)) return false;
  return error.code === "code_invalid" || catalogue[error.code].status === 401;
}
