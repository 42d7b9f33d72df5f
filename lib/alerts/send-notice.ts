import type { Context } from "../context.js";
import type { Env } from "../env.js";
import { correlationHeader, externalCall } from "../observability/external-call.js";
import { type HttpReply, post } from "../platform/keep-alive-http.js";
import type { AlertNotice } from "./notice.js";
import type { Channel, Priority } from "./rule.js";
import { runbookSlug } from "./rules.js";

export const routeNames = ["pagerduty", "team_webhook", "investigate_webhook"] as const;

type Asking = Pick<Context, "env" | "correlationId">;

export interface NoticeRoute {
  name: (typeof routeNames)[number];
  send(ctx: Asking, notice: AlertNotice, id: string): Promise<HttpReply>;
}

/** `reason` is one word, never text from the receiver. */
export type ChannelOutcome =
  | { kind: "accepted" }
  | { kind: "retryable"; reason: string; retryAfterSeconds?: number }
  | { kind: "final"; reason: string };

const deadlineMs = 5000;

/** The configured routes of a channel: its own, then the fallback (team for page and investigate, page for team). */
export function routesOf({ alerts }: Env, channel: Channel): NoticeRoute[] {
  const page = alerts.pagerDutyRoutingKey ? [pagerDuty] : [];
  const team = alerts.webhookUrl ? [webhook("team_webhook", alerts.webhookUrl)] : [];
  const other = alerts.investigateWebhookUrl;
  const investigate = other ? [webhook("investigate_webhook", other)] : [];
  // A warning must not page.
  if (channel === "investigate") return [...investigate, ...team];
  return channel === "page" ? [...page, ...team] : [...team, ...page];
}

/** Any one of them gives the channel a route. */
export const variablesOf: Record<Channel, string> = {
  page: "PAGERDUTY_ROUTING_KEY or ALERT_WEBHOOK_URL",
  team: "PAGERDUTY_ROUTING_KEY or ALERT_WEBHOOK_URL",
  investigate: "ALERT_INVESTIGATE_WEBHOOK_URL or ALERT_WEBHOOK_URL",
};

/** One attempt. Never rejects. Safe to repeat; a webhook may then show the notice twice. */
export function send(
  ctx: Context,
  route: NoticeRoute,
  notice: AlertNotice,
  id: string,
): Promise<ChannelOutcome> {
  const hand = async (): Promise<ChannelOutcome> => {
    try {
      return outcomeOf(await route.send(ctx, notice, id));
    } catch (error) {
      const isLate = error instanceof Error && error.name === "TimeoutError";
      return { kind: "retryable", reason: isLate ? "timeout" : "network" };
    }
  };
  return externalCall(ctx, { service: route.name, operation: "notify" }, hand, (outcome) =>
    outcome.kind === "accepted" ? "ok" : outcome.reason,
  );
}

function outcomeOf({ status, headers }: HttpReply): ChannelOutcome {
  if (status >= 200 && status < 300) return { kind: "accepted" };
  const reason = `status_${status}`;
  if (status !== 408 && status !== 429 && status < 500) return { kind: "final", reason };
  const seconds = Number(headers["retry-after"]);
  return seconds > 0
    ? { kind: "retryable", reason, retryAfterSeconds: seconds }
    : { kind: "retryable", reason };
}

/** Source: developer.pagerduty.com/docs/events-api-v2/trigger-events. */
const pagerDuty: NoticeRoute = {
  name: "pagerduty",
  send(ctx, notice) {
    const { alerts, release, jwt } = ctx.env;
    const { event, key, rule, label, priority, detail, minute } = notice;
    const body = {
      routing_key: alerts.pagerDutyRoutingKey,
      event_action: event,
      dedup_key: key.slice(0, 255),
      ...(event === "trigger" && {
        client: "Linguamate backend",
        client_url: runbookUrl(alerts, notice),
        links: [{ href: runbookUrl(alerts, notice), text: "Runbook" }],
        payload: {
          summary: titleOf(notice).slice(0, 1024),
          source: `linguamate-backend (${jwt.environment})`,
          severity: severities[priority],
          timestamp: minute,
          component: label || "backend",
          class: rule,
          custom_details: { detail, priority, release: release.sha },
        },
      }),
    };
    return postJson(ctx, alerts.pagerDutyUrl, body);
  },
};

const severities: Record<Priority, string> = { P1: "critical", P2: "error", P3: "warning" };

/** A Slack incoming webhook; Mattermost and Discord (`/slack`) accept the same format. */
function webhook(name: NoticeRoute["name"], url: string): NoticeRoute {
  return {
    name,
    send(ctx, notice, id) {
      const { alerts, jwt } = ctx.env;
      const { event, priority, detail, minute } = notice;
      const words = event === "trigger" ? `*${priority}* ` : "Resolved: ";
      const text = [
        `${words}${escaped(titleOf(notice))} (${escaped(jwt.environment)})`,
        `${escaped(detail)} · ${minute}`,
        `<${runbookUrl(alerts, notice)}|Runbook>`,
      ];
      return postJson(ctx, url, { text: text.join("\n") }, { "idempotency-key": id });
    },
  };
}

function titleOf({ rule, summary, isTest }: AlertNotice): string {
  return `${isTest ? "[TEST] " : ""}${rule}: ${summary}`;
}

export function runbookUrl({ runbookBaseUrl }: Env["alerts"], { rule }: { rule: string }): string {
  return `${runbookBaseUrl.replace(/\/+$/, "")}/${runbookSlug(rule)}.md`;
}

/** Slack's control characters. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function postJson(
  { correlationId }: Asking,
  url: string,
  body: object,
  headers: Record<string, string> = {},
) {
  return post(new URL(url), {
    headers: {
      "content-type": "application/json",
      ...correlationHeader(correlationId),
      ...headers,
    },
    body: JSON.stringify(body),
    timeoutMs: deadlineMs,
  });
}
