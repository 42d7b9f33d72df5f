import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { env } from "../../../lib/env.js";
import { handToProvider } from "../../../lib/mail/provider.js";
import { useMailbox } from "../../support/mailbox.js";

const mailbox = useMailbox();
const message = { subject: "Hello", text: "Hello, Ada", html: "<p>Hello, Ada</p>" };
const to = "ada@example.com";

const send = (key: string, settings = {}) =>
  handToProvider({ ...env().mail, ...settings }, { key, to, message, correlationId: "a-request" });

describe("handToProvider", () => {
  it("sends the mail unchanged from the configured sender, with an idempotency key", async () => {
    const settings = { apiUrl: `${mailbox.provider.url}/`, from: "Ada <ada@linguamate.com>" };
    expect(await send("as-it-is", settings)).toEqual({ kind: "accepted" });
    const [received] = await mailbox.to(to);
    expect(received).toMatchObject({ ...message, from: settings.from, to: [to] });
    expect(await send("as-it-is", settings)).toEqual({ kind: "accepted" });
    expect(await mailbox.to(to)).toHaveLength(1);
  });

  it("returns retryable for a temporary failure", async () => {
    mailbox.provider.fail({ kind: "rate-limit", retryAfterSeconds: 7 });
    expect(await send("a")).toEqual({
      kind: "retryable",
      reason: "rate_limit_exceeded",
      retryAfterSeconds: 7,
    });
    mailbox.provider.fail({ kind: "error", status: 503 });
    expect(await send("a")).toEqual({ kind: "retryable", reason: "application_error" });
    mailbox.provider.fail({ kind: "lose-reply" });
    expect(await send("b")).toEqual({ kind: "retryable", reason: "network" });
    expect(await send("c", { apiUrl: "http://127.0.0.1:9" })).toEqual({
      kind: "retryable",
      reason: "network",
    });
  });

  it("returns retryable while a request with the same key is in progress", async () => {
    mailbox.provider.fail({ kind: "latency", ms: 500, times: 1 });
    const before = mailbox.provider.requests();
    const first = send("slow");
    await expect.poll(mailbox.provider.requests).toBe(before + 1);
    expect(await send("slow")).toMatchObject({
      kind: "retryable",
      reason: "concurrent_idempotent_requests",
    });
    expect(await first).toEqual({ kind: "accepted" });
  });

  it("returns final for a refusal", async () => {
    expect(await send("a", { apiKey: "re_wrong" })).toEqual({
      kind: "final",
      reason: "invalid_api_key",
    });
    expect(await send("a", { from: "nobody" })).toEqual({
      kind: "final",
      reason: "invalid_from_address",
    });
  });

  it("uses the status alone when the body is unknown", async () => {
    const answer = { status: 502, body: `<h1>${to} is not reachable</h1>` };
    expect(await outcomeOf(answer)).toEqual({ kind: "retryable", reason: "status_502" });
  });

  it("distinguishes an unverified sender from an invalid address", async () => {
    const body = JSON.stringify({ name: "validation_error", message: "Verify your domain." });
    expect(await outcomeOf({ status: 422, body })).toEqual({
      kind: "final",
      reason: "validation_error",
    });
    expect(await outcomeOf({ status: 403, body })).toEqual({
      kind: "final",
      reason: "sender_not_verified",
    });
  });
});

async function outcomeOf({ status, body }: { status: number; body: string }) {
  const server = createServer((_, response) => {
    response.writeHead(status).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const outcome = await send("a", { apiUrl });
  server.closeAllConnections();
  server.close();
  return outcome;
}
