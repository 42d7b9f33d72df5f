import type * as z from "zod";
import type { Operation, Operator } from "../auth/operator/operator.js";
import type { KeyState, SessionAnswer } from "../auth/session/live-session.js";
import type { AccessClaims, ShownClaims } from "../auth/token/access-token.js";
import type { Actor, Context } from "../context.js";
import type { ErrorCode } from "../errors.js";
import type { Reservation } from "../rate-limit/count.js";
import type { PolicyName } from "../rate-limit/policies.js";
import type { Upload } from "./multipart-body.js";

/**
 * `anonymous`: a bearer is not looked at. `optional`: one that is shown must be ours. `token`: any valid
 * one. `user`: its session must be live. `operator`: whoever may operate what `operation` names.
 * `cron`: the clock's secret. `metrics`: the scraper's. `webhook`: the handler checks the sender's
 * signature over the raw body.
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

/** What the pass found out about the request besides its parts. */
export interface Client {
  /** ISO 3166-1 alpha-2, where the platform tells it. */
  country: string | undefined;
  /** Refundable counts, to be given back when the attempt succeeds. */
  reserved: Reservation;
  /** False where the caller's address has had its mails to addresses that were never proven. */
  mayMailUnproven: boolean;
  /** Until when the account that the body names is delayed for everybody but its own sessions. */
  delayedUntil: Date | null;
  /** What Redis said of the session of a bearer that was shown; null when it did not answer. */
  session: SessionAnswer | null;
  /** What Redis said of the keys of a session that only the body names. */
  keyState: KeyState;
  /** The moment before which every session has ended, in ms, where `keyState` is asked; else 0. */
  revokeAllBefore: number;
}

type ClaimsOf<A extends Auth> = A extends "token" | "user"
  ? AccessClaims
  : A extends "optional"
    ? ShownClaims | undefined
    : undefined;

export interface Input<A extends Auth, B, Q> {
  ctx: Context;
  headers: Headers;
  body: B;
  query: Q;
  /** The segments of the path that the template names. */
  params: Record<string, string>;
  client: Client;
  claims: ClaimsOf<A>;
  actor: A extends "user" ? Actor : undefined;
  operator: A extends "operator" ? Operator : undefined;
  /** The body as it was received, for a signature over it. */
  raw: A extends "webhook" ? string : undefined;
  /** The file, where the endpoint takes an `upload`. */
  file: Uint8Array<ArrayBuffer> | undefined;
}

type Schema = z.ZodType | undefined;
type OutputOf<S extends Schema> = S extends z.ZodType ? z.output<S> : undefined;

/** What the limits by session, device and account count, when only the body tells. */
export interface BodySubject {
  session?: string | undefined;
  device?: string | undefined;
  account?: string | undefined;
}

export interface EndpointSpec<A extends Auth, B extends Schema, Q extends Schema> {
  /** One line for people: what it does, and the answers worth naming. */
  summary: string;
  auth: A;
  /** What is operated, where operators call. */
  operation?: Operation;
  /** True where the caller must have shown a credential within ten minutes: else `reauth_required`. */
  stepUp?: boolean;
  limits: PolicyName[];
  /** A closed object; absent when the endpoint takes no body. */
  body?: B;
  /** The body's limit where its schema, or its sender, needs more than the default. */
  bodyBytesMax?: number;
  /** The body is multipart with this file; `body` then describes its other parts. */
  upload?: Upload;
  /** A closed object of strings; absent when the endpoint takes no parameters. */
  query?: Q;
  /** What is counted, when only the body tells: it is then read first. */
  subject?: (body: OutputOf<B>, ctx: Context) => BodySubject;
  /** Success statuses with their bodies (null: none). A plain result is sent with the first. */
  replies: Record<number, z.ZodType | null>;
  /** The codes that the handler itself may throw. */
  errors: ErrorCode[];
  /** Served under any host name: for callers that know the machine, not the name. */
  anyHost?: boolean;
  handle(input: Input<A, OutputOf<B>, OutputOf<Q>>): Promise<unknown>;
  /** Answer a write that was done already under the same Idempotency-Key, from its result's id. */
  replay?(input: Input<A, OutputOf<B>, OutputOf<Q>> & { resultId: string }): Promise<unknown>;
}

/** What the pass hands to any endpoint. */
export type AnyInput = Input<Auth, unknown, unknown>;

/** An endpoint whatever its types, as the pass runs it. */
export interface Endpoint
  extends Omit<EndpointSpec<Auth, z.ZodType, z.ZodType>, "handle" | "subject" | "replay"> {
  handle(input: AnyInput): Promise<unknown>;
  subject?: (body: unknown, ctx: Context) => BodySubject;
  replay?(input: AnyInput & { resultId: string }): Promise<unknown>;
}

/** State an endpoint's contract, policy and behaviour. `auth` and `limits` have no defaults. */
export function endpoint<
  A extends Auth,
  B extends Schema = undefined,
  Q extends Schema = undefined,
>(spec: EndpointSpec<A, B, Q>): Endpoint {
  // The pass hands in exactly what `auth`, `body` and `query` promise, which types cannot follow.
  return spec as unknown as Endpoint;
}

/** One that limits count by is read before the caller is known. */
const bytesMaxByDefault = { counted: 16 * 1024, other: 64 * 1024 };

/** How many bytes the JSON or raw body of a request may have. */
export function bodyBytesMaxOf({ bodyBytesMax, subject }: Endpoint): number {
  return bodyBytesMax ?? bytesMaxByDefault[subject ? "counted" : "other"];
}
