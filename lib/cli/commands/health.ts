import { Health } from "../../health/health.js";
import type { Command } from "../command.js";
import { errorOf, exchange } from "../http.js";
import { readReply } from "../read-reply.js";
import { table } from "../text.js";

export const health: Command = {
  name: "health",
  args: [],
  summary: "health of the server and its dependencies",
  async run({ api }) {
    const answer = await exchange(api.url, { method: "GET", path: "/api/health" });
    // An unhealthy server answers with an error status, too.
    const isOther = answer.status >= 300 && answer.body === undefined;
    if (isOther || answer.code !== undefined) throw errorOf(answer);
    const found = readReply(Health, answer);
    const { status, version, releaseId, checks } = found;
    const rows = Object.entries(checks).map(([name, [check]]) => {
      const measured = `${check?.observedValue ?? ""} ${check?.observedUnit ?? ""}`.trim();
      return { is: check?.status, name, detail: check?.output ?? (measured || null) };
    });
    const text = `${status}  version ${version}  release ${releaseId}\n${table(rows)}`;
    return { body: found, text, isProblem: status !== "pass" };
  },
};
