import * as z from "zod";
import { BlockDetails } from "../../admission/block.js";
import { anAccount } from "../account.js";
import type { Command } from "../command.js";
import { secondsOf } from "../duration.js";
import { table } from "../text.js";

const blocking = (kind: "ip" | "cidr" | "user", what: string, summary: string): Command => ({
  name: `block ${kind}`,
  args: [what],
  names: anAccount,
  summary,
  options: { ttl: { type: "string", default: "1h" } },
  changes: true,
  run: ({ api, args: [value], options: { ttl } }) =>
    api.change("POST", "/api/ops/blocks", { kind, value, ttlSeconds: secondsOf(String(ttl)) }),
});

const list: Command = {
  name: "block list",
  args: [],
  summary: "active blocks: value, creator, reason and expiry",
  async run({ api }) {
    const answer = await api.get("/api/ops/blocks");
    const { items } = z.object({ items: z.array(BlockDetails) }).parse(answer);
    return { body: answer, text: blockTable(items, "No active blocks.") };
  },
};

export function blockTable(items: BlockDetails[], none?: string): string {
  const rows = items.map(({ id, kind, value, reason, createdBy, expiresAt }) => ({
    kind,
    value,
    until: expiresAt,
    reason,
    id,
    by: createdBy,
  }));
  return table(rows, none, ["id", "by"]);
}

const lift: Command = {
  name: "block lift",
  args: ["ID"],
  names: { what: "active block", shownBy: "block list" },
  summary: "remove a block",
  changes: true,
  run: ({ api, args: [id = ""] }) =>
    api.change("POST", `/api/ops/blocks/${encodeURIComponent(id)}/lift`),
};

export const block = [
  blocking("ip", "ADDRESS", "block an IP address: --ttl 30m|1h|7d"),
  blocking("cidr", "NETWORK", "block a network: /8, /16, /24, /32, or /32, /48, /64, /128"),
  blocking("user", "USER", "block a user (ID or e-mail) and revoke their sessions and API tokens"),
  list,
  lift,
];
