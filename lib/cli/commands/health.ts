import { Health } from "../../health/health.js";
import type { Command } from "../command.js";
import { FailedError } from "../failures.js";

export const health: Command = {
  name: "health",
  args: [],
  summary: "health of the server and its dependencies",
  async run({ api }) {
    const { body } = await api.send("GET", "/api/health");
    const read = Health.safeParse(body);
    if (!read.success) {
      throw new FailedError(`${api.url.origin}/api/health did not return a valid health response.`);
    }
    const { status, version, releaseId, checks } = read.data;
    const lines = Object.entries(checks).map(([name, [check]]) => {
      const measured = `${check?.observedValue ?? ""} ${check?.observedUnit ?? ""}`;
      return `${check?.status.padEnd(5)} ${name.padEnd(24)} ${(check?.output ?? measured).trim()}`;
    });
    return {
      body: read.data,
      text: [`${status}  version ${version}  release ${releaseId}`, ...lines].join("\n"),
      isProblem: status !== "pass",
    };
  },
};
