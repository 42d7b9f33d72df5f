import { RateLimitCounters } from "../../operations/rate-limits/counters.js";
import { TopLimited } from "../../operations/rate-limits/top.js";
import { anAccount } from "../account.js";
import { caller, oneOf } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { table, untilText } from "../text.js";

const show: Command = {
  name: "ratelimit show",
  args: ["WHO"],
  names: anAccount,
  summary: "the rate limit counters of an IP address, e-mail address, user ID or session ID",
  checks: { WHO: caller },
  async run({ api, args: [of = ""] }) {
    const found = await api.look(RateLimitCounters, "/api/ops/rate-limits/find", { of });
    const rows = found.counters.map(({ key, used, max, until, refuses, countedIn }) => ({
      refuses: refuses ? "yes" : "no",
      used: `${used}/${max ?? "?"}`,
      until,
      in: countedIn,
      key,
    }));
    const warning = found.redisAnswered
      ? ""
      : "\nRedis did not answer: only the counters in Postgres are shown.";
    return { body: found, text: table(rows) + warning, isProblem: !found.redisAnswered };
  },
};

const clear: Command = {
  name: "ratelimit clear",
  args: ["WHO"],
  names: anAccount,
  summary: "clear these counters, as `redis-cli DEL rate:<key>` does for one key",
  checks: { WHO: caller },
  changes: true,
  run: ({ api, args: [of] }) => api.change("POST", "/api/ops/rate-limits/resets", { of }),
};

const top: Command = {
  name: "ratelimit top",
  args: [],
  summary:
    "the callers or routes with the most rate limit hits in the last hour: --by ip|route|user",
  options: { by: { type: "string", default: "ip" } },
  checks: { by: oneOf(["ip", "route", "user"]) },
  async run({ api, options }) {
    const by = textOf(options.by);
    const found = await api.get(TopLimited, "/api/ops/rate-limits/top", { by });
    const stored = by === "route" ? "" : " They are stored without Redis, so none is missing.";
    const rows = table(found.rows, `No rate limit hits.${stored}`);
    return { body: found, text: `${untilText(found)}\n${rows}` };
  },
};

export const ratelimit = [show, clear, top];
