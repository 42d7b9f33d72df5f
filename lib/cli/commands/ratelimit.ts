import { Counters } from "../../operations/rate-limits/counters.js";
import { TopLimited } from "../../operations/rate-limits/top.js";
import { anAccount } from "../account.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const show: Command = {
  name: "ratelimit show",
  args: ["WHO"],
  names: anAccount,
  summary: "what an IP or e-mail address, a user or session (ids) was counted by",
  async run({ api, args: [of = ""] }) {
    const found = Counters.parse(await api.look("/api/ops/rate-limits/find", { of }));
    const rows = found.counters.map(({ key, used, max, until, refuses, countedIn }) => ({
      refuses: refuses ? "yes" : "no",
      used: `${used}/${max ?? "?"}`,
      until,
      in: countedIn,
      key,
    }));
    const silent = found.redisAnswered ? "" : "\nRedis did not answer: these are Postgres's alone.";
    const isProblem = !found.redisAnswered || found.counters.some(({ refuses }) => refuses);
    return { body: found, text: table(rows) + silent, isProblem };
  },
};

const clear: Command = {
  name: "ratelimit clear",
  args: ["WHO"],
  names: anAccount,
  summary: "forget it: what `redis-cli DEL rate:<key>` does for each of those keys",
  changes: true,
  run: ({ api, args: [of] }) => api.change("POST", "/api/ops/rate-limits/resets", { of }),
};

const top: Command = {
  name: "ratelimit top",
  args: [],
  summary: "who or what was refused most in the last hour: --by ip|route|user",
  options: { by: { type: "string", default: "ip" } },
  async run({ api, options: { by } }) {
    if (by !== "ip" && by !== "route" && by !== "user") {
      throw new UsageError("--by takes ip, route or user.");
    }
    const found = TopLimited.parse(await api.get("/api/ops/rate-limits/top", { by }));
    return { body: found, text: table(found.rows, "Nobody was refused.") };
  },
};

export const ratelimit = [show, clear, top];
