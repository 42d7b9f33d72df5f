import { isInScope } from "../../../lib/auth/operator/verify-operator-token.js";
import type { Endpoint } from "../../../lib/http/endpoint.js";

type Requirement = Record<string, string[]>;

/** The accepted credentials; an empty requirement means that none is needed. */
export function securityOf({ auth, operation, signedBy }: Endpoint): Requirement[] {
  switch (auth) {
    case "anonymous":
      return [];
    case "optional":
      return [{ accessToken: [] }, {}];
    case "token":
    case "user":
      return [{ accessToken: [] }];
    case "operator":
      return [
        { operatorSession: [] },
        ...(operation && isInScope(["*:*"], operation) ? [{ operatorToken: [] }] : []),
        ...(operation?.breakGlass ? [{ breakGlassToken: [] }] : []),
      ];
    case "cron":
      return [{ cronSecret: [] }];
    case "metrics":
      return [{ metricsToken: [] }];
    case "webhook":
      return [signedBy === "vercel" ? { vercelSignature: [] } : { webhookSignature: [] }];
  }
}

const bearer = (description: string, bearerFormat?: string) => ({
  type: "http",
  scheme: "bearer",
  ...(bearerFormat && { bearerFormat }),
  description,
});

export const securitySchemes: Record<string, object> = {
  accessToken: bearer("The access token of a session, from a sign-in or a refresh.", "JWT"),
  operatorSession: bearer(
    "The access token of an operator who signed in with a second factor. A change needs one that showed the factor at most ten minutes ago.",
    "JWT",
  ),
  operatorToken: bearer("A machine's token with scopes, made by `operator token create`."),
  breakGlassToken: bearer("The break-glass token `OPS_TOKEN`."),
  cronSecret: bearer("`CRON_SECRET`, which the platform's clock sends."),
  metricsToken: bearer("`METRICS_TOKEN`."),
  webhookSignature: {
    type: "apiKey",
    in: "header",
    name: "svix-signature",
    description:
      "The signature of the raw body by the specification of standardwebhooks.com. `webhook-id`, `webhook-timestamp` and `webhook-signature` are accepted too.",
  },
  vercelSignature: {
    type: "apiKey",
    in: "header",
    name: "x-vercel-signature",
    description: "HMAC-SHA1 of the raw body under the secret of the webhook, in hexadecimal.",
  },
};
