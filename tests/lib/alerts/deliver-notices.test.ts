import { describe, expect, it } from "vitest";
import { deliverNotices } from "../../../lib/alerts/deliver-notices.js";
import { alertKey, alertNoticeOf, queueAlertNotice } from "../../../lib/alerts/notice.js";
import type { Rule } from "../../../lib/alerts/rule.js";
import { type RuleName, rulesByName } from "../../../lib/alerts/rules.js";
import { retryFailedMessages } from "../../../lib/operations/outbox.js";
import { useAlerts } from "../../support/alerts.js";
import { setEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
const world = useAlerts(stores, { LOG_LEVEL: "info" });

const ruleOf = (name: RuleName) => rulesByName[name] as Rule;

/** Queues a notification as an evaluation of this minute would. */
async function queue(
  minute: number,
  event: "trigger" | "resolve" = "trigger",
  name: RuleName = "AuditChainBroken",
) {
  const ctx = world.after(minute);
  const rule = ruleOf(name);
  const notice = alertNoticeOf(rule, {
    event,
    key: alertKey(ctx, name, ""),
    label: "",
    priority: rule.priority,
    channel: rule.channel === "other" ? "page" : rule.channel,
    detail: "1 < 2 & more",
    minute: ctx.now.getTime(),
  });
  await queueAlertNotice(ctx, notice, ctx.now);
}
const deliver = (minute: number) => deliverNotices(world.after(minute));
const nothing = { sent: 0, retried: 0, failed: 0, unaddressed: 0, expired: 0 };

describe("a notification", () => {
  it("is sent to the channel of its rule with its runbook", async () => {
    await queue(0, "trigger", "AuditChainBroken");
    await queue(0, "trigger", "LatencyP95Critical");
    await queue(0, "trigger", "ErrorRateWarning");
    expect(await deliver(0)).toEqual({ ...nothing, sent: 3 });
    expect(world.pager.incidents()).toMatchObject([
      { severity: "critical", links: [{ href: expect.stringMatching(/audit-chain-broken\.md$/) }] },
    ]);
    expect(world.team.messages()).toEqual([
      expect.stringMatching(
        /^\*P2\* LatencyP95Critical: .*\n1 &lt; 2 &amp; more .*\n<.*latency-p95-critical\.md\|Runbook>$/,
      ),
    ]);
    expect(world.investigate.messages()).toEqual([
      expect.stringContaining("*P3* ErrorRateWarning"),
    ]);
    expect(await world.unsent()).toBe(0);
  });

  it("is sent to the team when no investigation webhook is configured", async () => {
    setEnvironment({ ALERT_WEBHOOK_URL: world.team.url });
    await queue(0, "trigger", "ErrorRateWarning");
    await deliver(0);
    expect(world.team.messages()).toHaveLength(1);
  });

  it("is logged and dropped when no destination is configured", async () => {
    setEnvironment({ LOG_LEVEL: "info" });
    await queue(0);
    expect(await deliver(0)).toEqual({ ...nothing, unaddressed: 1 });
    expect(lines.read("notice_unaddressed")).toMatchObject([
      { level: "NOTICE", data: { rule: "AuditChainBroken", channel: "page", priority: "P1" } },
    ]);
    expect(await world.unsent()).toBe(0);
  });

  it("is sent by one process only", async () => {
    await queue(0);
    world.pager.fail({ kind: "hang", times: 1 });
    const before = world.pager.requests();
    const first = deliver(0);
    await expect.poll(() => world.pager.requests() - before).toBe(1);
    const others = await Promise.all(Array.from({ length: 6 }, () => deliver(0)));
    expect(others).toEqual(Array(6).fill(nothing));
    expect(world.pager.requests() - before).toBe(1);
    expect(await first).toEqual({ ...nothing, retried: 1 });
    expect(await deliver(2)).toEqual({ ...nothing, sent: 1 });
  });

  it("is retried with growing delays, not before Retry-After", async () => {
    await queue(0);
    world.pager.fail({ kind: "rate-limit", retryAfterSeconds: 100, times: 1 });
    expect(await deliver(0)).toEqual({ ...nothing, retried: 1 });
    expect(await deliver(1)).toEqual(nothing);
    expect(await deliver(2)).toEqual({ ...nothing, sent: 1 });
    expect(lines.read("notice_retried")).toMatchObject([
      { level: "WARN", data: { reason: "status_429", delay: 100, attempt: 1 } },
    ]);
  });

  it("opens one incident although the response was lost", async () => {
    await queue(0);
    world.pager.fail({ kind: "lose-reply", times: 1 });
    expect(await deliver(0)).toEqual({ ...nothing, retried: 1 });
    expect(await deliver(1)).toEqual({ ...nothing, sent: 1 });
    expect(world.pager.incidents()).toMatchObject([{ status: "triggered", triggers: 2 }]);
  });

  it("is never sent before an earlier one of the same alert", async () => {
    await queue(0);
    world.pager.fail({ kind: "error", status: 500, times: 1 });
    await deliver(0);
    await queue(0, "resolve");
    // The first one waits for its retry, so the resolution waits too.
    expect(await deliver(0)).toEqual(nothing);
    expect(await deliver(1)).toEqual({ ...nothing, sent: 2 });
    expect(world.pager.incidents()).toMatchObject([{ status: "resolved", triggers: 1 }]);
  });

  it("is also sent to the fallback once after five minutes, and to its own channel when that recovers", async () => {
    await queue(0);
    world.pager.fail({ kind: "error", status: 503 });
    for (let minute = 0; minute < 5; minute += 1) await deliver(minute);
    expect(world.team.messages()).toEqual([]);
    for (let minute = 5; minute < 20; minute += 1) await deliver(minute);
    expect(world.team.messages()).toEqual([expect.stringContaining("AuditChainBroken")]);
    expect(await world.unsent()).toBe(1);
    world.pager.fail(null);
    for (let minute = 20; minute < 26; minute += 1) await deliver(minute);
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1 }]);
    expect(await world.unsent()).toBe(0);
    expect(world.team.messages()).toHaveLength(1);
  });

  it("is sent to the fallback at once when its own channel refuses it permanently", async () => {
    setEnvironment({
      LOG_LEVEL: "info",
      PAGERDUTY_ROUTING_KEY: "f".repeat(32),
      PAGERDUTY_URL: world.pager.url,
      ALERT_WEBHOOK_URL: world.team.url,
    });
    await queue(0);
    expect(await deliver(0)).toEqual({ ...nothing, failed: 1 });
    expect(world.team.messages()).toHaveLength(1);
    expect(lines.read("notice_failed")).toMatchObject([
      { level: "ERROR", data: { reason: "status_400", channel: "pagerduty" } },
    ]);
    // The row is kept, because its own channel has not accepted it; the fallback is not used twice.
    const rows = await stores.sql("select last_error from queue_entries where dead_at is not null");
    expect(rows).toEqual([{ last_error: "status_400" }]);
    await stores.sql("update queue_entries set dead_at = null, run_after = now()");
    expect(await deliver(1)).toEqual({ ...nothing, failed: 1 });
    expect(world.team.messages()).toHaveLength(1);
  });

  it("is deleted after a permanent refusal when a later one of the same alert arrives", async () => {
    const key = { PAGERDUTY_ROUTING_KEY: "f".repeat(32), PAGERDUTY_URL: world.pager.url };
    setEnvironment(key);
    await queue(0);
    await queue(0, "trigger", "HealthCheckFailing");
    expect(await deliver(0)).toEqual({ ...nothing, failed: 2 });
    setEnvironment({ ...key, PAGERDUTY_ROUTING_KEY: world.pager.routingKey });
    await queue(1, "resolve");
    expect(await deliver(1)).toEqual({ ...nothing, sent: 1 });
    const left = await stores.sql("select payload ->> 'rule' as rule from queue_entries");
    expect(left).toEqual([{ rule: "HealthCheckFailing" }]);
  });

  it("is kept after a permanent refusal without a fallback", async () => {
    setEnvironment({ PAGERDUTY_ROUTING_KEY: "f".repeat(32), PAGERDUTY_URL: world.pager.url });
    await queue(0);
    expect(await deliver(0)).toEqual({ ...nothing, failed: 1 });
    expect(await deliver(1)).toEqual(nothing);
    const rows = await stores.sql("select last_error from queue_entries where dead_at is not null");
    expect(rows).toEqual([{ last_error: "status_400" }]);
  });

  it("is dropped after it has expired", async () => {
    await queue(0);
    expect(await deliver(24 * 60 + 1)).toEqual({ ...nothing, expired: 1 });
    expect(await world.unsent()).toBe(0);
    expect(world.pager.incidents()).toEqual([]);
  });
});

describe("PagerUndelivered", () => {
  it("fires once through the fallback while a channel fails, and is resolved", async () => {
    await queue(0);
    world.pager.fail({ kind: "error", status: 503 });
    for (let minute = 0; minute < 5; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
    for (let minute = 5; minute < 9; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual(["PagerUndelivered:page"]);
    const about = () => world.team.messages().filter((text) => text.includes("PagerUndelivered"));
    expect(about()).toHaveLength(1);
    world.pager.fail(null);
    for (let minute = 9; minute < 20; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
    expect(about()).toEqual([
      expect.stringContaining("*P2* PagerUndelivered: Notices of the channel page"),
      expect.stringContaining("Resolved: PagerUndelivered"),
    ]);
    expect(world.pager.incidents()).toMatchObject([{ status: "triggered", triggers: 1 }]);
    expect(await world.unsent()).toBe(0);
  });

  it("fires for a refused key until the refused notifications are sent", async () => {
    const wrong = {
      EXPO_PUBLIC_TOOLKIT_URL: world.toolkit.url,
      PAGERDUTY_ROUTING_KEY: "f".repeat(32),
      PAGERDUTY_URL: world.pager.url,
      ALERT_WEBHOOK_URL: world.team.url,
    };
    setEnvironment(wrong);
    await queue(0);
    for (let minute = 0; minute < 8; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual(["PagerUndelivered:page"]);
    expect(world.team.messages()).toEqual([
      expect.stringContaining("AuditChainBroken"),
      expect.stringContaining("*P2* PagerUndelivered: Notices of the channel page"),
    ]);
    setEnvironment({ ...wrong, PAGERDUTY_ROUTING_KEY: world.pager.routingKey });
    await retryFailedMessages(world.after(8), {
      actor: { kind: "operator", id: "someone" },
      reason: "a test",
    });
    for (let minute = 8; minute < 12; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
    expect(world.pager.incidents()).toMatchObject([{ status: "triggered", triggers: 1 }]);
    expect(await world.unsent()).toBe(0);
  });

  it("fires once without a fallback, and does not trigger itself", async () => {
    setEnvironment({
      EXPO_PUBLIC_TOOLKIT_URL: world.toolkit.url,
      PAGERDUTY_ROUTING_KEY: "f".repeat(32),
      PAGERDUTY_URL: world.pager.url,
    });
    await queue(0);
    for (let minute = 0; minute < 20; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual(["PagerUndelivered:page"]);
  });

  it("does not page for a channel that does not page", async () => {
    world.investigate.fail({ kind: "error", status: 503 });
    await queue(0, "trigger", "ErrorRateWarning");
    for (let minute = 0; minute < 9; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual(["PagerUndelivered:investigate"]);
    expect(world.pager.incidents()).toEqual([]);
    expect(world.team.messages().join()).toContain("Notices of the channel investigate");
  });
});
