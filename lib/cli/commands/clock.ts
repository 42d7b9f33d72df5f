import { JobsShown } from "../../operations/jobs.js";
import { OutboxShown } from "../../operations/outbox.js";
import { CronName, CronsShown } from "../../schedule/cron-status.js";
import type { Command } from "../command.js";
import { table } from "../text.js";

const cron: Command = {
  name: "cron",
  args: [],
  summary: "the jobs of the clock, what they missed, and their last runs",
  async run({ api }) {
    const found = CronsShown.parse(await api.get("/api/ops/crons"));
    const runs = found.runs.map(({ failedParts, ...run }) => ({
      ...run,
      failed: failedParts.join(", ") || null,
    }));
    const text = `${table(found.crons)}\n\n${table(runs, "Nothing has run yet.")}`;
    return {
      body: found,
      text,
      isProblem: found.crons.some(({ missedSlots }) => missedSlots === null || missedSlots > 1),
    };
  },
};

const run: Command = {
  name: "cron run",
  args: ["JOB"],
  names: { what: "cron job", oneOf: CronName.options },
  summary: "run a job of the clock now: tick or cleanup; twice is harmless",
  changes: true,
  run: ({ api, args: [job = ""] }) =>
    api.change("POST", `/api/ops/crons/${encodeURIComponent(job)}/runs`),
};

const jobs: Command = {
  name: "jobs",
  args: [],
  summary: "jobs that were given up, and those that wait",
  async run({ api }) {
    const found = JobsShown.parse(await api.get("/api/ops/jobs"));
    const text = `${found.waiting} wait, ${found.dead} were given up.\n${table(found.items)}`;
    return { body: found, text, isProblem: found.dead > 0 };
  },
};

const retryJob: Command = {
  name: "jobs retry",
  args: ["ID"],
  names: { what: "given-up job", shownBy: "jobs" },
  summary: "give a job that was given up its tries anew",
  changes: true,
  run: ({ api, args: [id = ""] }) =>
    api.change("POST", `/api/ops/jobs/${encodeURIComponent(id)}/retries`),
};

const outbox: Command = {
  name: "outbox",
  args: [],
  summary: "mails and notices that wait, and those that could not be sent",
  async run({ api }) {
    const found = OutboxShown.parse(await api.get("/api/ops/outbox"));
    const failures = found.failures.length > 0 ? `\n\n${table(found.failures)}` : "";
    return {
      body: found,
      text: table(found.kinds, "Nothing waits.") + failures,
      isProblem: found.failures.length > 0,
    };
  },
};

const retryOutbox: Command = {
  name: "outbox retry",
  args: [],
  summary: "have every mail and notice that failed tried again",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/outbox/retries"),
};

export const clock = [cron, run, jobs, retryJob, outbox, retryOutbox];
