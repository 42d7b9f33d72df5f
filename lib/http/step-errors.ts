import { routeGroupOf } from "../admission/route-groups.js";
import type { ErrorCode } from "../errors.js";
import type { Endpoint } from "./endpoint.js";

type StepErrors = [
  step: string,
  codes: ErrorCode[],
  applies: (endpoint: Endpoint, template: string) => boolean,
];

const always = () => true;
const hasToken = ({ auth }: Endpoint) => ["optional", "token", "user", "operator"].includes(auth);
const needsToken = ({ auth }: Endpoint) => ["token", "user", "operator"].includes(auth);
const hasSession = ({ auth }: Endpoint) => auth === "user" || auth === "operator";
const hasBody = ({ body, auth }: Endpoint) => body !== undefined || auth === "webhook";
const hasJson = ({ body, upload }: Endpoint) => body !== undefined && upload === undefined;
const hasLimits = ({ limits }: Endpoint) => limits.length > 0;
const asksRedis = (endpoint: Endpoint) => hasLimits(endpoint) || hasToken(endpoint);

/**
 * The codes that the steps of the pipeline may answer, in their order for an endpoint without `identify`.
 * `requireEndpoint` is not here: it refuses a method that has no endpoint.
 */
export const stepErrors: readonly StepErrors[] = [
  ["requireAllowedHost", ["host_not_allowed"], ({ anyHost }) => !anyHost],
  ["requireSupportedApp", ["upgrade_required"], always],
  ["pathParams", ["malformed_url"], (_, template) => template.includes(":")],
  ["requireCredential", ["token_missing"], needsToken],
  ["requireCredential", ["token_expired"], hasSession],
  ["requireCredential", ["token_invalid", "rate_limited"], hasToken],
  ["requireCredential", ["cron_secret_invalid"], ({ auth }) => auth === "cron"],
  ["requireCredential", ["metrics_token_invalid"], ({ auth }) => auth === "metrics"],
  ["askRedis", ["service_unavailable"], asksRedis],
  ["requireNotBlocked", ["address_blocked"], asksRedis],
  ["requireNotBlocked", ["account_blocked"], hasToken],
  [
    "requireSwitchedOn",
    ["feature_disabled", "restore_in_progress"],
    (endpoint, template) => asksRedis(endpoint) && routeGroupOf(template) !== undefined,
  ],
  ["requireWithinLimits", ["rate_limited"], hasLimits],
  ["requireWithinLimits", ["toolkit_unavailable"], ({ limits }) => limits.includes("toolkit")],
  ["requireCaller", ["session_revoked", "session_expired"], hasSession],
  [
    "requireCaller",
    ["forbidden", "token_invalid", "operator_token_ended"],
    ({ auth }) => auth === "operator",
  ],
  [
    "requireStepUp",
    ["reauth_required"],
    ({ stepUp, operation }) => stepUp === true || operation?.kind === "change",
  ],
  ["validQuery", ["validation_failed"], ({ query }) => query !== undefined],
  [
    "readBody",
    ["malformed_body", "payload_too_large", "body_timeout", "service_unavailable"],
    hasBody,
  ],
  ["readBody", ["validation_failed"], ({ body }) => body !== undefined],
  ["readBody", ["unsupported_media_type"], hasJson],
  ["readBody", ["multipart_needed"], ({ upload }) => upload !== undefined],
  [
    "handle",
    ["idempotency_key_invalid", "idempotency_mismatch"],
    ({ replay }) => replay !== undefined,
  ],
  ["handle", ["internal_error", "service_unavailable"], always],
];

export function errorsOf(endpoint: Endpoint, template: string): Set<ErrorCode> {
  const ofSteps = stepErrors.flatMap(([, codes, applies]) =>
    applies(endpoint, template) ? codes : [],
  );
  return new Set([...ofSteps, ...endpoint.errors]);
}
