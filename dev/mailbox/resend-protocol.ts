import { canonicalEmail } from "../../lib/user/email-address.js";
import type { Mailbox } from "./mailbox.js";

export interface ResendRequest {
  method: string;
  path: string;
  authorization: string | undefined;
  idempotencyKey: string | undefined;
  body: string;
}

export interface ResendReply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

interface Sent {
  body: string;
  /** Undefined while the first request is in progress. */
  id?: string;
}

const keyCharactersMax = 256;
const recipientsMax = 50;

/**
 * Resend's `POST /emails` with its errors (resend.com/docs/api-reference/errors). `work` can delay a request
 * or make it fail.
 */
export function createResendProtocol(mailbox: Mailbox, apiKey: string) {
  const sentByKey = new Map<string, Sent>();

  return async (request: ResendRequest, work: () => Promise<ResendReply | undefined>) => {
    const refused = refusal(request, apiKey);
    if (refused) return refused;
    const mail = readMail(request.body);
    if ("status" in mail) return mail;

    const key = request.idempotencyKey;
    const before = key === undefined ? undefined : sentByKey.get(key);
    if (before) return repeated(before, request.body);
    const sent: Sent = { body: request.body };
    if (key !== undefined) sentByKey.set(key, sent);
    const failed = await work();
    if (failed) {
      // No mail was sent, so the key can be used again.
      if (key !== undefined) sentByKey.delete(key);
      return failed;
    }
    sent.id = mailbox.put(mail).id;
    return { status: 200, body: { id: sent.id } };
  };
}

export function resendError(status: number, name: string, message: string): ResendReply {
  return { status, body: { statusCode: status, message, name } };
}

function repeated({ body, id }: Sent, again: string): ResendReply {
  if (body !== again) {
    const message = "Same idempotency key used with a different request payload.";
    return resendError(409, "invalid_idempotent_request", message);
  }
  if (id !== undefined) return { status: 200, body: { id } };
  const message = "Same idempotency key used while original request is still in progress.";
  return resendError(409, "concurrent_idempotent_requests", message);
}

function refusal(request: ResendRequest, apiKey: string): ResendReply | undefined {
  const { method, path, authorization, idempotencyKey } = request;
  if (path !== "/emails") {
    return resendError(404, "not_found", "The requested endpoint does not exist.");
  }
  if (method !== "POST") {
    return resendError(405, "method_not_allowed", "Method is not allowed for the requested path.");
  }
  const given = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
  if (given === undefined) {
    return resendError(401, "missing_api_key", "Missing API key in the authorization header.");
  }
  if (given !== apiKey) return resendError(403, "invalid_api_key", "API key is invalid.");
  if (idempotencyKey === "" || (idempotencyKey?.length ?? 0) > keyCharactersMax) {
    return resendError(400, "invalid_idempotency_key", "The key must be between 1-256 chars.");
  }
  return undefined;
}

function readMail(text: string): ResendReply | Parameters<Mailbox["put"]>[0] {
  const body = parsed(text);
  if (!body) return resendError(400, "validation_error", "The body must be a JSON object.");
  const { from, to, subject, text: plain, html } = body;
  const missing = ["from", "to", "subject"].find((name) => !body[name]);
  if (missing) return resendError(422, "missing_required_field", `Missing \`${missing}\` field.`);
  if (!plain && !html) {
    return resendError(422, "missing_required_field", "Missing `html` or `text` field.");
  }
  if (typeof from !== "string" || !isMailbox(from)) {
    return resendError(422, "invalid_from_address", "Invalid `from` field.");
  }
  const recipients = Array.isArray(to) ? to : [to];
  if (recipients.length > recipientsMax || !recipients.every(isMailbox)) {
    return resendError(422, "validation_error", "Invalid `to` field.");
  }
  const others = [subject, plain ?? "", html ?? ""];
  if (!others.every((value) => typeof value === "string")) {
    return resendError(422, "validation_error", "`subject`, `text` and `html` must be strings.");
  }
  const [title = "", asText = "", asHtml = ""] = others;
  return { from, to: recipients, subject: title, text: asText, html: asHtml };
}

/** `email@example.com` or `Name <email@example.com>`. */
function isMailbox(value: unknown): value is string {
  if (typeof value !== "string" || /[\r\n]/.test(value)) return false;
  return canonicalEmail(/<([^<>]*)>$/.exec(value)?.[1] ?? value) !== null;
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
