import * as z from "zod";
import { type JsonEndpoint, type JsonReply, startJsonEndpoint } from "./json-endpoint.js";

/** All triggers of one key until it is resolved. */
interface PagedIncident {
  key: string;
  status: "triggered" | "resolved";
  triggers: number;
  summary: string;
  severity: string;
  links: { href: string; text?: string | undefined }[];
}

export interface PagerDutyEndpoint extends JsonEndpoint {
  routingKey: string;
  /** Oldest first. */
  incidents(): readonly PagedIncident[];
  forget(): void;
}

const Event = z.object({
  routing_key: z.string().length(32),
  event_action: z.enum(["trigger", "acknowledge", "resolve"]),
  dedup_key: z.string().max(255).optional(),
  client: z.string().optional(),
  client_url: z.string().optional(),
  links: z.array(z.object({ href: z.url(), text: z.string().optional() })).optional(),
  payload: z
    .object({
      summary: z.string().min(1).max(1024),
      source: z.string().min(1),
      severity: z.enum(["critical", "error", "warning", "info"]),
      timestamp: z.iso.datetime().optional(),
      component: z.string().optional(),
      group: z.string().optional(),
      class: z.string().optional(),
      custom_details: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

/** PagerDuty's Events API v2 (`POST /v2/enqueue`) with incidents in memory. */
export async function startPagerDutyEndpoint(
  routingKey = "0123456789abcdef0123456789abcdef",
): Promise<PagerDutyEndpoint> {
  const incidents: PagedIncident[] = [];

  const endpoint = await startJsonEndpoint(({ method, path, body }): JsonReply => {
    if (path !== "/v2/enqueue") return { status: 404, body: "Not found" };
    if (method !== "POST") return { status: 405, body: "Method not allowed" };
    const read = Event.safeParse(body);
    if (!read.success) return invalid(read.error.issues.map(({ message }) => message));
    const { routing_key, event_action, dedup_key, payload, links = [] } = read.data;
    if (routing_key !== routingKey) return invalid(["Invalid routing key"]);
    if (event_action !== "trigger" && !dedup_key) return invalid(["dedup_key is missing"]);
    if (event_action === "trigger" && !payload) return invalid(["payload is missing"]);
    const key = dedup_key ?? `made-${incidents.length}`;
    const open = incidents.find((each) => each.key === key && each.status === "triggered");
    if (event_action === "resolve" && open) open.status = "resolved";
    if (event_action === "trigger" && payload) {
      const { summary, severity } = payload;
      if (open) open.triggers += 1;
      else incidents.push({ key, status: "triggered", triggers: 1, summary, severity, links });
    }
    const message = "Event processed";
    return { status: 202, body: { status: "success", message, dedup_key: key } };
  });
  return {
    ...endpoint,
    url: `${endpoint.url}/v2/enqueue`,
    routingKey,
    incidents: () => incidents,
    forget: () => void incidents.splice(0),
  };
}

function invalid(errors: string[]): JsonReply {
  const body = { status: "invalid event", message: "Event object is invalid", errors };
  return { status: 400, body };
}
