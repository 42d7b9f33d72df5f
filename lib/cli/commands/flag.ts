import { FlagList } from "../../admission/change-flag.js";
import { listed, matching, numberFrom, uuid } from "../checks.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";
import { notInRedisText, table } from "../text.js";

const at = (name = "") => `/api/ops/flags/${encodeURIComponent(name)}`;

const flagName = matching(/^[\w-]{1,64}$/, "the name of a flag");

const list: Command = {
  name: "flag",
  args: [],
  summary: "every kill switch and feature flag",
  async run({ api }) {
    const found = await api.get(FlagList, "/api/ops/flags");
    const rows = found.items.map(
      ({ name, kind, enabled, percentage, users, isPublic, covers }) => ({
        name,
        kind,
        is: enabled ? "on" : "OFF",
        for: kind === "feature" ? `${percentage} % and ${users.length} named users` : "all",
        signedOut: kind === "feature" ? isPublic : null,
        covers,
      }),
    );
    const { inForce = true } = found;
    const text = inForce ? table(rows) : `${table(rows)}\n${notInRedisText("flags")}`;
    return { body: found, text };
  },
};

const on: Command = {
  name: "flag on",
  args: ["NAME"],
  names: { what: "flag", shownBy: "flag" },
  summary: "turn a route group or a feature on",
  checks: { NAME: flagName },
  changes: true,
  run: ({ api, args: [name] }) => api.change("PUT", at(name), { enabled: true }),
};

const off: Command = {
  name: "flag off",
  args: ["NAME"],
  names: { what: "flag", shownBy: "flag" },
  summary: "turn it off; the routes of a group answer 503 feature_disabled at once",
  checks: { NAME: flagName },
  notes:
    "--dry-run shows which routes and callers are affected. Kill switches never affect the operators' routes.",
  changes: true,
  run: ({ api, args: [name] }) => api.change("PUT", at(name), { enabled: false }),
};

const set: Command = {
  name: "flag set",
  args: ["NAME"],
  names: { what: "flag", shownBy: "flag" },
  summary:
    "turn a feature on for some users: --percentage N, --users ID,ID, --public or --no-public",
  options: {
    percentage: { type: "string" },
    users: { type: "string" },
    public: { type: "boolean" },
    "no-public": { type: "boolean" },
  },
  checks: { NAME: flagName, percentage: numberFrom(0, 100), users: listed(uuid) },
  changes: true,
  run({ api, args: [name], options }) {
    const { percentage, users, public: isPublic, "no-public": isPrivate } = options;
    if (isPublic && isPrivate) throw new UsageError("Use --public or --no-public, not both.");
    return api.change("PUT", at(name), {
      enabled: true,
      ...(percentage === undefined ? {} : { percentage: Number(percentage) }),
      ...(users === undefined ? {} : { users: String(users).split(",").filter(Boolean) }),
      ...(isPublic || isPrivate ? { isPublic: isPublic === true } : {}),
    });
  },
};

const remove: Command = {
  name: "flag delete",
  args: ["NAME"],
  names: { what: "feature flag", shownBy: "flag" },
  summary: "delete a feature flag; the feature is then off for all",
  checks: { NAME: flagName },
  notes: "For a feature that the app no longer asks about. A kill switch cannot be deleted.",
  changes: true,
  run: ({ api, args: [name] }) => api.change("POST", `${at(name)}/removal`),
};

export const flag = [list, on, off, set, remove];
