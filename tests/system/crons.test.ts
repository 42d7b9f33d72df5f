import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Cron } from "croner";
import { describe, expect, it } from "vitest";
import { platformConfig, readProjectSettings } from "../../dev/build/platform-config.js";
import type { Route } from "../../lib/http/route.js";
import { scheduledJobs } from "../../lib/schedule/scheduled-jobs.js";
import { sourceFiles } from "../support/source-files.js";

const settings = readProjectSettings(readFileSync("vercel.json", "utf8"));
const files = sourceFiles("api/cron");

describe("the crons of vercel.json", () => {
  it("are the files of api/cron/, and those are the crons", () => {
    const paths = settings.crons.map(({ path }) => path).sort();
    expect(paths).toEqual(files.map((file) => `/${file.replace(/\.ts$/, "")}`).sort());
  });

  it("are the jobs that are known to be due", () => {
    const jobs = settings.crons.map(({ path }) => path.replace("/api/cron/", "")).sort();
    expect([...scheduledJobs].sort()).toEqual(jobs);
  });

  it.each(files)("%s is called by GET, by the clock alone, under any host name", async (file) => {
    const { default: route } = (await import(resolve(file))) as { default: Route };
    expect(Object.keys(route.endpoints)).toEqual(["GET"]);
    expect(route.endpoints.GET).toMatchObject({ auth: "cron", limits: [], anyHost: true });
  });

  it.each(settings.crons)("$path has the platform's five fields, $schedule", ({ schedule }) => {
    expect(schedule.split(" ")).toHaveLength(5);
    expect(new Cron(schedule, { timezone: "UTC" }).nextRun()).not.toBeNull();
  });

  it("stand in the build's output", () => {
    expect(platformConfig(files, settings).crons).toEqual(settings.crons);
  });
});
