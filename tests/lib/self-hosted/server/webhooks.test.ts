import { randomBytes, randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import mailWebhook from "../../../../api/webhooks/mail.js";
import vercelWebhook from "../../../../api/webhooks/vercel.js";
import { useEnvironment } from "../../../support/environment.js";
import { useStores } from "../../../support/stores.js";
import {
  projectId,
  signedByVercel,
  vercelEvent,
  vercelSecret,
} from "../../../support/vercel-events.js";
import { call, route, serve } from "./server-calls.js";

useStores();
const mailSecret = `whsec_${randomBytes(24).toString("base64")}`;
useEnvironment({
  VERCEL_WEBHOOK_SECRET: vercelSecret,
  VERCEL_PROJECT_ID: projectId,
  MAIL_WEBHOOK_SECRET: mailSecret,
});

const deployed = () =>
  signedByVercel(
    vercelEvent({ type: "deployment.created", deployment: "dpl_a", createdAt: Date.now() }),
  );
function bounced() {
  const body = JSON.stringify({
    type: "email.bounced",
    created_at: new Date().toISOString(),
    data: {
      email_id: randomUUID(),
      from: "Linguamate",
      to: ["ada@example.com"],
      subject: "Hi",
      bounce: { type: "Permanent", subType: "General", message: "The address does not exist." },
    },
  });
  const id = `msg_${randomUUID()}`;
  const at = new Date();
  const headers = {
    "svix-id": id,
    "svix-timestamp": String(Math.floor(at.getTime() / 1000)),
    "svix-signature": new Webhook(mailSecret).sign(id, at, body),
  };
  return { body, headers };
}

it.each([
  ["vercel", vercelWebhook, deployed],
  ["mail", mailWebhook, bounced],
] as const)(
  "a signed webhook is accepted over HTTP, and a changed one refused (%s)",
  async (name, webhook, signed) => {
    const path = `/api/webhooks/${name}`;
    const server = await serve([route(path, webhook.fetch)]);
    try {
      const send = ({ body, headers }: { body: string; headers: Record<string, string> }) =>
        call(server, path, {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body,
        });
      const delivery = signed();
      expect(await send({ ...delivery, body: `${delivery.body} ` })).toMatchObject({ status: 401 });
      expect(await send(delivery)).toMatchObject({ status: 204 });
    } finally {
      await server.close();
    }
  },
);
