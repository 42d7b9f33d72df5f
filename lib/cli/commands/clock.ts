import * as z from "zod";
import { JobQueueStatus } from "../../operations/jobs.js";
import { OutboxStatus } from "../../operations/outbox.js";
import { CronName, CronStatus } from "../../schedule/cron-status.js";
import { uuid } from "../checks.js";
import type { Command } from "../command.js";
import { nextPageText, pageChecks, pageOf, pageOptions } from "../next-page.js";
import { table } from "../text.js";

const cron: Command = {
  name: "cron",
  args: [],
  summary: "the cron jobs, their missed slots, and their last runs",
  async run({ api }) {
    const found = await api.get(CronStatus, "/api/ops/crons");
    const runs = found.runs.map(({ failedParts, ...run }) => ({
      ...run,
      failed: failedParts.join(", ") || null,
    }));
    const crons = found.crons.map(({ isLate: _, ...job }) => job);
    return { body: found, text: `${table(crons)}\n\n${table(runs, "No runs yet.")}` };
  },
};

const run: Command = {
  name: "cron run",
  args: ["JOB"],
  names: { what: "cron job", oneOf: CronName.options },
  summary: "run a cron job now; safe to repeat",
  notes: "The exit status is 1 when a part failed, or did not end in its time.",
  changes: true,
  async run({ api, args: [job = ""] }) {
    const result = await api.change("POST", `/api/ops/crons/${encodeURIComponent(job)}/runs`);
    // A dry run has no parts.
    const { data: parts = {} } = Parts.safeParse(result.detail.parts);
    const isFailed = Object.values(parts).some(({ outcome }) => problems.includes(outcome));
    return { ...result, isProblem: result.isProblem === true || isFailed };
  },
};

const Parts = z.record(z.string(), z.object({ outcome: z.string() }));
/** Not `skipped`: the next call of the scheduler continues. */
const problems = ["failed", "overdue"];

/** An older server has no pages. */
const Jobs = JobQueueStatus.partial({ nextCursor: true });

const jobs: Command = {
  name: "jobs",
  args: [],
  summary: "the job queue: dead letters and pending jobs",
  options: pageOptions,
  checks: pageChecks,
  async run({ api, options }) {
    const query = pageOf({ options });
    const found = await api.get(Jobs, "/api/ops/jobs", query);
    const text = `Pending: ${found.waiting}. Dead letters: ${found.dead}.\n${table(found.items)}`;
    const more = nextPageText({ options }, "jobs", query, found.nextCursor);
    return { body: found, text: text + more };
  },
};

const retryJob: Command = {
  name: "jobs retry",
  args: ["ID"],
  names: { what: "dead job", shownBy: "jobs" },
  summary: "retry a dead job; its attempts are reset",
  checks: { ID: uuid },
  changes: true,
  run: ({ api, args: [id = ""] }) =>
    api.change("POST", `/api/ops/jobs/${encodeURIComponent(id)}/retries`),
};

/** An older server does not list what is tried again. */
const Outbox = OutboxStatus.partial({ retrying: true });

const outbox: Command = {
  name: "outbox",
  args: [],
  summary: "pending mails and notices, and failed ones",
  async run({ api }) {
    const found = await api.get(Outbox, "/api/ops/outbox");
    const part = (title: string, rows: Record<string, unknown>[] = []) =>
      rows.length > 0 ? `\n\n${title}\n${table(rows, "None.", ["id", "correlationId"])}` : "";
    const kinds = table(found.kinds, "The outbox is empty.");
    const retrying = part("Tried again after a failure:", found.retrying);
    const failures = part("Failed, and not tried again:", found.failures);
    return { body: found, text: kinds + retrying + failures };
  },
};

const retryOutbox: Command = {
  name: "outbox retry",
  args: [],
  summary: "retry every failed mail and notice that has not expired",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/outbox/retries"),
};

export const clock = [cron, run, jobs, retryJob, outbox, retryOutbox];
