import { type BlockDetails, BlockList } from "../../admission/block.js";
import { anAccount } from "../account.js";
import { account, type Check, durationUpTo, ipAddress, network, uuid } from "../checks.js";
import type { Command } from "../command.js";
import { secondsOf } from "../duration.js";
import { notInRedisText, table } from "../text.js";

const blocking = (
  kind: "ip" | "cidr" | "user",
  what: string,
  check: Check,
  summary: string,
): Command => ({
  name: `block ${kind}`,
  args: [what],
  names: anAccount,
  summary,
  options: { ttl: { type: "string", default: "1h" } },
  checks: { [what]: check, ttl: durationUpTo(30) },
  changes: true,
  run: ({ api, args: [value], options: { ttl } }) =>
    api.change("POST", "/api/ops/blocks", { kind, value, ttlSeconds: secondsOf(String(ttl)) }),
});

const list: Command = {
  name: "block list",
  args: [],
  summary: "active blocks: value, creator, reason and expiry",
  async run({ api }) {
    const found = await api.get(BlockList, "/api/ops/blocks");
    const { items, inForce = true } = found;
    const rows = blockTable(items, "No active blocks.");
    return { body: found, text: inForce ? rows : `${rows}\n${notInRedisText("blocks")}` };
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
  checks: { ID: uuid },
  changes: true,
  run: ({ api, args: [id = ""] }) =>
    api.change("POST", `/api/ops/blocks/${encodeURIComponent(id)}/lift`),
};

export const block = [
  blocking("ip", "ADDRESS", ipAddress, "block an IP address: --ttl 30m|1h|7d"),
  blocking("cidr", "NETWORK", network, "block a network: /8, /16, /24, or /32, /48, /64 of IPv6"),
  blocking(
    "user",
    "USER",
    account,
    "block a user (ID or e-mail) and revoke their sessions and API tokens",
  ),
  list,
  lift,
];
