import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Cron } from "croner";
import { describe, expect, it } from "vitest";
import { platformConfig, readProjectSettings } from "../../dev/build/platform-config.js";
import { backgroundRules } from "../../lib/alerts/rules/background-rules.js";
import type { Route } from "../../lib/http/route.js";
import { cronMinutes, cronPeriods, scheduledJobs } from "../../lib/schedule/scheduled-jobs.js";
import { sourceFiles } from "../support/source-files.js";

const settings = readProjectSettings(readFileSync("vercel.json", "utf8"));
const files = sourceFiles("api/cron");

describe("crons in vercel.json", () => {
  it("match the files of api/cron/", () => {
    const paths = settings.crons.map(({ path }) => path).sort();
    expect(paths).toEqual(files.map((file) => `/${file.replace(/\.ts$/, "")}`).sort());
  });

  it("match the list of scheduled jobs", () => {
    const jobs = settings.crons.map(({ path }) => path.replace("/api/cron/", "")).sort();
    expect([...scheduledJobs].sort()).toEqual(jobs);
  });

  it.each(scheduledJobs)("match the period and the minute of %s", (job) => {
    const cron = settings.crons.find(({ path }) => path === `/api/cron/${job}`);
    const schedule = new Cron(cron?.schedule ?? "", { timezone: "UTC" });
    const [first, second] = schedule.nextRuns(2, "2026-01-31T08:59:30Z");
    const minutes = (Number(second) - Number(first)) / 60_000;
    // The daily check is called each hour, until the store has answered.
    const called = job === "backup-check" ? "hour" : cronPeriods[job];
    // February, in which the second run of a month is due, has 28 days.
    expect(minutes).toBe({ minute: 1, hour: 60, day: 1440, month: 28 * 1440 }[called]);
    const dayMinutes = (first?.getUTCHours() ?? 0) * 60 + (first?.getUTCMinutes() ?? 0);
    expect(called === "month" ? dayMinutes : first?.getUTCMinutes()).toBe(cronMinutes[job]);
  });

  it("match the periods of the alert CronMissed, in lib/alerts/rules/background-rules.ts", () => {
    const seconds = { minute: 60, hour: 3600, day: 86_400, month: 31 * 86_400 };
    const { condition } = backgroundRules.find(({ name }) => name === "CronMissed") as {
      condition: object;
    };
    expect(condition).toHaveProperty(
      "periodSeconds",
      Object.fromEntries(scheduledJobs.map((job) => [job, seconds[cronPeriods[job]]])),
    );
  });

  it.each(files)("%s accepts only GET with the cron secret, under any host name", async (file) => {
    const { default: route } = (await import(resolve(file))) as { default: Route };
    expect(Object.keys(route.endpoints)).toEqual(["GET"]);
    expect(route.endpoints.GET).toMatchObject({ auth: "cron", limits: [], anyHost: true });
  });

  it.each(settings.crons)(
    "$path has a valid schedule with five fields: $schedule",
    ({ schedule }) => {
      expect(schedule.split(" ")).toHaveLength(5);
      expect(new Cron(schedule, { timezone: "UTC" }).nextRun()).not.toBeNull();
    },
  );

  it("are included in the build output", () => {
    expect(platformConfig(files, settings).crons).toEqual(settings.crons);
  });
});
