import * as z from "zod";
import type { OperatorAct } from "../audit/audit.js";
import { securityEvent } from "../audit/security-events.js";
import type { Operator } from "../auth/operator/operator.js";
import type { OperatorScope } from "../auth/operator/scopes.js";
import type { Context } from "../context.js";
import type { ErrorCode } from "../errors.js";
import type { ChangeOutcome } from "../operations/act.js";
import { type Endpoint, endpoint } from "./endpoint.js";
import type { Result } from "./reply.js";
import { requireStepUp } from "./steps/require-caller.js";

const Changed = z
  .strictObject({
    dryRun: z.boolean(),
    /** A sentence about the change; in a dry run, about the change that would be made. */
    done: z.string(),
    /** False when Redis could not be updated: other instances may not apply the change yet. */
    inForce: z.boolean(),
    /** The command that undoes it; null when nothing can, and in a dry run. */
    undo: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Changed" });

interface ReadSpec<R extends z.ZodType, Q extends z.ZodType | undefined> {
  summary: string;
  scope: OperatorScope;
  breakGlass?: boolean;
  query?: Q;
  reply: R;
  errors?: ErrorCode[];
  read(input: {
    ctx: Context;
    operator: Operator;
    query: Q extends z.ZodType ? z.output<Q> : undefined;
    params: Record<string, string>;
  }): Promise<z.output<R>>;
}

export function operatorRead<R extends z.ZodType, Q extends z.ZodType | undefined = undefined>(
  spec: ReadSpec<R, Q>,
): Endpoint {
  const { summary, scope, breakGlass = false, query, reply, errors = [], read } = spec;
  return endpoint({
    summary,
    auth: "operator",
    operation: { scope, kind: "read", breakGlass },
    limits: ["default"],
    ...(query && { query }),
    replies: { 200: reply },
    errors,
    // `auth` and `query` decide the input; a generic schema hides that from the compiler.
    handle: (input) =>
      read(input as unknown as Parameters<typeof read>[0]) as Promise<Result<{ 200: R }>>,
  });
}

interface ChangeSpec<S extends z.ZodRawShape> {
  summary: string;
  scope: OperatorScope;
  breakGlass?: boolean;
  /** Besides `reason` and `dryRun`. */
  body: S;
  errors?: ErrorCode[];
  change(input: {
    ctx: Context;
    operator: Operator;
    body: z.output<z.ZodObject<S>>;
    params: Record<string, string>;
    dryRun: boolean;
    by: OperatorAct;
  }): Promise<ChangeOutcome>;
}

/** Needs a reason and, of a person, a second factor; without `dryRun` a recent one. Reports `admin_action`; `change` obeys `dryRun` and audits. */
export function operatorChange<S extends z.ZodRawShape>(spec: ChangeSpec<S>): Endpoint {
  const { summary, scope, breakGlass = false, body, errors = [], change } = spec;
  return endpoint({
    summary,
    auth: "operator",
    operation: { scope, kind: "change", breakGlass },
    limits: ["default"],
    body: z.strictObject({
      ...body,
      reason: z
        .string()
        .trim()
        .min(3)
        .max(500)
        .meta({ examples: ["Reported by support"] }),
      dryRun: z.boolean().default(false),
    }),
    replies: { 200: Changed },
    errors,
    handle: async ({ ctx, operator, claims, body: given, params }) => {
      const { reason, dryRun, ...rest } = given as { reason: string; dryRun: boolean };
      if (!dryRun) requireStepUp(ctx, claims);
      const by: OperatorAct = { actor: { kind: "operator", id: operator.id }, reason };
      const fields = rest as z.output<z.ZodObject<S>>;
      const outcome = await change({ ctx, operator, body: fields, params, dryRun, by });
      const { done, undo, detail = {} } = outcome;
      if (!dryRun) {
        securityEvent(ctx, "admin_action", { data: { operation: scope, account: operator.id } });
      }
      const inForce = !ctx.requestMetrics.isPendingInRedis;
      return { dryRun, done, inForce, undo: dryRun ? null : undo, detail };
    },
  });
}
