import type * as z from "zod";
import type { Operation, Operator } from "../auth/operator/operator.js";
import type { KeyState, SessionLookup } from "../auth/session/live-session.js";
import type { AccessClaims, PresentedClaims } from "../auth/token/access-token.js";
import type { Actor, Context } from "../context.js";
import type { Env } from "../env.js";
import type { ErrorCode } from "../errors.js";
import type { Reservation } from "../rate-limit/count.js";
import type { PolicyName } from "../rate-limit/policies.js";
import type { Replies, Result } from "./reply.js";
import type { Upload } from "./steps/multipart-body.js";

/**
 * Who may call. `anonymous`: a bearer token is ignored. `optional`: a bearer token, if sent, must be
 * genuine, but may have expired. `token`: a genuine bearer token, which may have expired. `user`: a live session.
 * `operator`: an operator, operator token or break-glass token that may do `operation`. `cron`, `metrics`: a shared
 * secret. `webhook`: the handler verifies the signature of the raw body.
 */
export type Auth =
  | "anonymous"
  | "optional"
  | "token"
  | "user"
  | "operator"
  | "cron"
  | "metrics"
  | "webhook";

/** What the pipeline knows about the caller, besides the token and the body. */
export interface CallerInfo {
  /** ISO 3166-1 alpha-2, where the platform sends it. */
  country: string | undefined;
  /** Counts of failed attempts and work, which may be released; a sign-in consumes them itself. */
  reserved: Reservation;
  /** False when this IP address has used up its mails to unverified addresses. */
  mayMailUnproven: boolean;
  /** End of the account's sign-in delay, for a caller with a bearer token: others are already refused. */
  delayedUntil: Date | null;
  /** The bearer's session in Redis; null when it was not read or Postgres must decide. */
  session: SessionLookup | null;
  /** The keys of the session in the body; `unknown` when not read. */
  keyState: KeyState;
  /** Sessions created before this time (ms) have ended; 0 when not read. */
  revokeAllBefore: number;
  /** The text that Redis holds under the name of `cachedAs`; null when it must be read from Postgres. */
  cached: { name: string; text: string | null } | undefined;
}

type ClaimsOf<A extends Auth> = A extends "user"
  ? AccessClaims
  : A extends "token"
    ? PresentedClaims
    : A extends "optional"
      ? PresentedClaims | undefined
      : A extends "operator"
        ? AccessClaims | undefined
        : undefined;

/** A request header that some handlers read; the others are read by the pipeline. */
export type RequestHeader = "If-Match" | "If-None-Match" | "Rotation-Id" | "Device-Id";

type Schema = z.ZodType | undefined;
type OutputOf<S extends Schema> = S extends z.ZodType ? z.output<S> : undefined;

/** What the body says about the caller, for the limits by session, device and account. */
export interface Identity {
  session?: string | undefined;
  device?: string | undefined;
  account?: string | undefined;
}

interface Input<A extends Auth, B, Q, I = Identity, U = Upload | undefined> {
  ctx: Context;
  headers: Headers;
  body: B;
  query: Q;
  params: Record<string, string>;
  caller: CallerInfo;
  identity: I;
  claims: ClaimsOf<A>;
  actor: A extends "user" ? Actor : undefined;
  operator: A extends "operator" ? Operator : undefined;
  /** The body as received, for its signature. */
  raw: A extends "webhook" ? string : undefined;
  file: U extends Upload ? Uint8Array<ArrayBuffer> : undefined;
}

export interface EndpointSpec<
  A extends Auth,
  B extends Schema,
  Q extends Schema,
  R extends Replies,
  I extends Identity,
  U extends Upload | undefined,
> {
  /** One line: what it does, and the replies worth naming. */
  summary: string;
  auth: A;
  operation?: Operation;
  /** Requires a credential shown in the last ten minutes, else `reauth_required`. Not of operator keys. */
  stepUp?: boolean;
  limits: PolicyName[];
  /** A closed object. */
  body?: B;
  /** Webhooks only: the events that have an effect, for the API document. Others are acknowledged. */
  event?: z.ZodType;
  /** Webhooks only, for the API document: another provider's signature instead of Standard Webhooks. */
  signedBy?: "vercel";
  /** 64 KB by default; 16 KB with `identify`. An `upload` has its own limit. */
  bodyBytesMax?: number;
  /** Makes the body multipart: this file, and `body` for the other parts. */
  upload?: U;
  /** A closed object of strings. */
  query?: Q;
  /** Reads the caller's identity from the body, which is then read before the limits count. */
  identify?: (body: OutputOf<B>, env: Env) => I;
  headers?: readonly RequestHeader[];
  replies: R;
  /** The codes that the handler throws, besides those of the pipeline's steps. */
  errors: ErrorCode[];
  /** Served under any host name, for callers that use an IP address. */
  anyHost?: boolean;
  /** A cache may keep the reply for all callers: it carries nothing of this request, and any page may read it. */
  isShared?: true;
  /** The name of the reply in the cache of content, read in the request's Redis round trip. One for all notations of an ID or tag. */
  cachedAs?(input: { params: Record<string, string>; url: URL }): string;
  handle(input: Input<A, OutputOf<B>, OutputOf<Q>, I, U>): Promise<Result<R>>;
  /** Replies to a repetition with the same Idempotency-Key, from the id of the first result. */
  replay?(
    input: Input<A, OutputOf<B>, OutputOf<Q>, I, U> & { resultId: string },
  ): Promise<Result<R>>;
}

export type AnyInput = Input<Auth, unknown, unknown>;

export interface Endpoint
  extends Omit<
    EndpointSpec<Auth, z.ZodType, z.ZodType, Replies, Identity, Upload | undefined>,
    "handle" | "identify" | "replay"
  > {
  handle(input: AnyInput): Promise<unknown>;
  identify?: (body: unknown, env: Env) => Identity;
  replay?(input: AnyInput & { resultId: string }): Promise<unknown>;
}

/** Returns the declaration itself, type-checked. `auth` and `limits` have no defaults. */
export function endpoint<
  A extends Auth,
  R extends Replies,
  B extends Schema = undefined,
  Q extends Schema = undefined,
  I extends Identity = Identity,
  U extends Upload | undefined = undefined,
>(spec: EndpointSpec<A, B, Q, R, I, U>): Endpoint {
  // The pipeline passes what `auth`, `body`, `query` and `identify` declare; the types end here.
  return spec as unknown as Endpoint;
}
