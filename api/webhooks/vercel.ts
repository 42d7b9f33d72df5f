import { recordVercelEvent, VercelEvent } from "../../lib/deployments/vercel-event.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { verifiedVercelEvent } from "../../lib/http/webhook.js";

const POST = endpoint({
  summary:
    "Record what happens to deployments of production on Vercel. Other events, projects and targets are ignored.",
  auth: "webhook",
  signedBy: "vercel",
  limits: [],
  anyHost: true,
  event: VercelEvent,
  bodyBytesMax: 256 * 1024,
  replies: { 204: null },
  errors: ["webhook_signature_invalid"],
  handle: ({ ctx, headers, raw }) =>
    recordVercelEvent(ctx, verifiedVercelEvent(ctx, headers, raw, ctx.env.vercel.webhookSecret)),
});

export default route("/api/webhooks/vercel", { POST });
