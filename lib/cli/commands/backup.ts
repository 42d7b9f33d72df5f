import { BackupReport } from "../../backups/check.js";
import { Drills } from "../../backups/drill-history.js";
import { Backups } from "../../backups/operate.js";
import { numberFrom } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { table, wrapped } from "../text.js";

const daySeconds = 86_400;

const noStore =
  "The server has no backup store: set NEON_API_KEY, or BACKUP_URL if it is self-hosted.";

const list: Command = {
  name: "backup list",
  args: [],
  summary: "the backup schedule and the snapshots, newest first",
  async run({ api }) {
    const found = await api.get(Backups, "/api/ops/backups");
    if (!found.isConfigured) {
      return { body: found, text: noStore };
    }
    const schedule = found.schedule.map(({ frequency, hour, day, retentionSeconds }) => ({
      frequency,
      day,
      hour,
      keptDays: retentionSeconds === null ? null : retentionSeconds / daySeconds,
    }));
    const snapshots = found.snapshots.map(({ at, name, isManual, expiresAt, id }) => ({
      at,
      name,
      manual: isManual,
      expires: expiresAt,
      id,
    }));
    const text = `${table(schedule, "No schedule.")}\n\n${table(snapshots, "No snapshots.", ["id", "expires"])}`;
    return { body: found, text };
  },
};

const check: Command = {
  name: "backup check",
  args: [],
  summary: "check the backups now (self-hosted: show the last check); the alerts use the result",
  notes:
    "Self-hosted, it shows the last check of the backup process, and checks nothing new: `npm run backup -- check` does.",
  async run({ api }) {
    const found = await api.get(BackupReport, "/api/ops/backups/check");
    if (!found.isChecked) {
      return { body: found, text: noStore };
    }
    const rows = found.findings.map(({ check: name, passed, detail }) => ({
      is: passed ? "pass" : "fail",
      check: name,
      detail,
    }));
    const isProblem = found.findings.some(({ passed }) => !passed);
    return { body: found, text: table(rows), isProblem };
  },
};

const now: Command = {
  name: "backup now",
  args: [],
  summary: "take a snapshot now; it is kept for 30 days",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/backups"),
};

const setup: Command = {
  name: "backup setup",
  args: [],
  summary: "set the daily backup schedule; other schedules stay",
  options: { hour: { type: "string" }, "retention-days": { type: "string" } },
  checks: { hour: numberFrom(0, 23), "retention-days": numberFrom(1, 35) },
  notes: "Without options: at 2:00 UTC, kept for 30 days. Fewer days fail `backup check`.",
  changes: true,
  run: ({ api, options }) => {
    const hour = textOf(options.hour);
    const days = textOf(options["retention-days"]);
    return api.change("PUT", "/api/ops/backups/schedule", {
      ...(hour === undefined ? {} : { hour: Number(hour) }),
      ...(days === undefined ? {} : { retentionDays: Number(days) }),
    });
  },
};

const run: Command = {
  name: "drill run",
  args: [],
  summary: "start a restore drill, unless one is running; takes minutes",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/drills"),
};

/** Only self-hosted drills have it. */
const hintOf = (step: string) =>
  step === "plan" ? ". `backup run` takes it within a minute; else look at its log." : "";

const status: Command = {
  name: "drill status",
  args: [],
  summary: "the running or last restore drill and what it found",
  async run({ api }) {
    const found = await api.get(Drills, "/api/ops/drills");
    const [last] = found.drills;
    if (!last) {
      return { body: found, text: "No restore drill yet: `ops drill run` starts one." };
    }
    const findings = last.findings.map(({ part, passed, detail }) => ({
      is: passed ? "pass" : "fail",
      part,
      detail,
    }));
    const head = `${last.state}, started at ${last.startedAt}, restores ${last.targetAt}`;
    const lines = [
      head,
      ...(last.state === "running" ? [`Step: ${last.step}${hintOf(last.step)}`] : []),
      ...(last.lastError ? [`Last try: ${last.lastError}`] : []),
      ...(last.rtoSeconds === null ? [] : [`RTO ${last.rtoSeconds} s, RPO ${last.rpoSeconds} s`]),
      ...(last.leftovers.length > 0
        ? [`Leftovers of earlier drills: ${last.leftovers.join(", ")}`]
        : []),
    ].map((line) => wrapped(line, 0));
    const text = `${lines.join("\n")}\n${table(findings, "Nothing is proven yet.")}`;
    return { body: found, text, isProblem: last.state === "failed" };
  },
};

const history: Command = {
  name: "drill history",
  args: [],
  summary: "restore drills, newest first, with their recovery times",
  async run({ api }) {
    const found = await api.get(Drills, "/api/ops/drills");
    const rows = found.drills.map(({ startedAt, state, rtoSeconds, rpoSeconds, ...drill }) => ({
      startedAt,
      state,
      rtoSeconds,
      rpoSeconds,
      failed:
        drill.findings
          .filter(({ passed }) => !passed)
          .map(({ part }) => part)
          .join(", ") || null,
    }));
    return { body: found, text: table(rows, "No restore drill yet.") };
  },
};

export const backup = [check, list, now, setup, run, status, history];
