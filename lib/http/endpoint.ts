import type * as z from "zod";
import type { AccessClaims } from "../auth/access-token.js";
import type { Actor, Context } from "../context.js";
import type { ErrorCode } from "../errors.js";
import type { Reservation } from "../rate-limit/limiter.js";
import type { PolicyName } from "../rate-limit/policies.js";

/** `anonymous`: a bearer is not looked at. `token`: any valid one. `user`: its session must be live. */
export type Auth = "anonymous" | "token" | "user";

/** What the pass found out about the request besides its parts. */
export interface Client {
  /** The whole address; undefined where no trusted platform tells it. */
  address: string | undefined;
  /** The gate's generation, or null when Redis did not answer. */
  redisGeneration: string | null;
  /** Refundable counts, to be given back when the attempt succeeds. */
  reserved: Reservation;
}

export interface Input<A extends Auth, B> {
  ctx: Context;
  body: B;
  /** The segments of the path that the template names. */
  params: Record<string, string>;
  client: Client;
  claims: A extends "anonymous" ? undefined : AccessClaims;
  actor: A extends "user" ? Actor : undefined;
}

export interface EndpointSpec<A extends Auth, B extends z.ZodType | undefined> {
  /** One line for people: what it does, and the answers worth naming. */
  summary: string;
  auth: A;
  limits: PolicyName[];
  /** A closed object; absent when the endpoint takes no body. */
  body?: B;
  /** What the limits by device and account count, when only the body tells: it is then read first. */
  subject?: (body: BodyOf<B>) => { device?: string | undefined; account?: string | undefined };
  /** Success statuses with their bodies (null: none). A plain result is sent with the first. */
  replies: Record<number, z.ZodType | null>;
  /** The codes that the handler itself may throw. */
  errors: ErrorCode[];
  /** Served under any host name: for callers that know the machine, not the name. */
  anyHost?: boolean;
  handle(input: Input<A, BodyOf<B>>): Promise<unknown>;
}

export type BodyOf<B> = B extends z.ZodType ? z.output<B> : undefined;

/** An endpoint whatever its types, as the pass runs it. */
export interface Endpoint extends Omit<EndpointSpec<Auth, z.ZodType>, "handle" | "subject"> {
  handle(input: Input<Auth, unknown>): Promise<unknown>;
  subject?: (body: unknown) => { device?: string | undefined; account?: string | undefined };
}

/** State an endpoint's contract, policy and behaviour. `auth` and `limits` have no defaults. */
export function endpoint<A extends Auth, B extends z.ZodType | undefined = undefined>(
  spec: EndpointSpec<A, B>,
): Endpoint {
  // The pass hands in exactly what `auth` and `body` promise, which types cannot follow.
  return spec as unknown as Endpoint;
}
