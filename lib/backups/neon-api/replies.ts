import * as z from "zod";

const id = z.string().regex(/^[a-z0-9-]{1,60}$/);
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
/** Neon keeps at most 30 days of history and 35 days of snapshots: more is no answer of it. */
const seconds = (daysMax: number) =>
  z
    .int()
    .min(0)
    .max(daysMax * 86_400);

export const ProjectReply = z.object({
  project: z.object({ id, history_retention_seconds: seconds(30) }),
});

const Branch = z.object({
  id,
  name: z.string(),
  parent_id: id.optional(),
  current_state: z.string().min(1),
  default: z.boolean(),
  protected: z.boolean(),
  created_at: time,
  expires_at: time.nullish(),
});

export const BranchReply = z.object({
  branch: Branch.pick({ id: true, current_state: true, expires_at: true }),
});

export const SourceReply = z.object({ branch: Branch.pick({ id: true, parent_id: true }) });

export const BranchesReply = z.object({
  branches: z.array(Branch),
  pagination: z.object({ next: z.string().optional() }).optional(),
});

export const EndpointsReply = z.object({
  endpoints: z.array(z.object({ host: z.string().min(1), branch_id: id })),
});

const Operation = z.object({
  id: z.uuid(),
  status: z.enum([
    "scheduling",
    "running",
    "finished",
    "failed",
    "error",
    "cancelling",
    "cancelled",
    "skipped",
  ]),
});

export const CreatedBranchReply = z.object({
  branch: Branch.pick({ name: true }),
  operations: z.array(Operation.pick({ id: true })),
});

export const OperationReply = z.object({ operation: Operation });

/** Whole, so that an item that we do not change is written back as it is. */
export const ScheduleReply = z.object({
  schedule: z.array(
    z.looseObject({ frequency: z.string().min(1), retention_seconds: seconds(35).optional() }),
  ),
});
export const scheduleNumber = z.int().nullable().catch(null);

const Snapshot = z.object({
  id: z.string().catch(""),
  name: z.string().catch(""),
  source_branch_id: id.optional(),
  created_at: time,
  expires_at: time.nullish().catch(null),
  manual: z.boolean().catch(false),
});

export const SnapshotsReply = z.object({
  snapshots: z.array(Snapshot.extend({ expires_at: time.nullish() })),
});
export const CreatedSnapshotReply = z.object({ snapshot: Snapshot });

export const ConnectionUriReply = z.object({
  uri: z.url({ protocol: /^postgres(ql)?$/, hostname: /./ }),
});
