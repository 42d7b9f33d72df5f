import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mailboxPage } from "../../dev/mailbox/page.js";
import { type ResendEndpoint, startResendEndpoint } from "../../dev/mailbox/resend-endpoint.js";

const mail = {
  from: "Linguamate <no-reply@linguamate.com>",
  to: ["ada@example.com"],
  subject: "Hello",
  text: "Hello, Ada",
  html: "<p>Hello, Ada</p>",
};

let provider: ResendEndpoint;
beforeEach(async () => {
  provider = await startResendEndpoint("re_right");
});
afterEach(() => provider.close());

async function send(body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${provider.url}/emails`, {
    method: "POST",
    headers: { authorization: "Bearer re_right", "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const answer = (await response.json()) as { id?: string; name?: string; message?: string };
  return { status: response.status, headers: response.headers, body: answer };
}

describe("the local Resend endpoint", () => {
  it("accepts a mail and returns its ID", async () => {
    const { status, body } = await send(mail);
    expect(status).toBe(200);
    expect(provider.mailbox.list()).toEqual([{ ...mail, id: body.id, at: expect.any(Date) }]);
    expect((await send({ ...mail, to: "ada@example.com", html: undefined })).status).toBe(200);
  });

  it.each<[string, number, unknown, Record<string, string>]>([
    ["missing_api_key", 401, mail, { authorization: "" }],
    ["invalid_api_key", 403, mail, { authorization: "Bearer re_wrong" }],
    ["invalid_idempotency_key", 400, mail, { "idempotency-key": "k".repeat(257) }],
    ["validation_error", 400, "{", {}],
    ["validation_error", 400, [mail], {}],
    ["missing_required_field", 422, { ...mail, to: undefined }, {}],
    ["missing_required_field", 422, { ...mail, text: undefined, html: undefined }, {}],
    ["invalid_from_address", 422, { ...mail, from: "nobody" }, {}],
    ["validation_error", 422, { ...mail, to: ["ada@example.com", "nobody"] }, {}],
    ["validation_error", 422, { ...mail, subject: 7 }, {}],
  ])("returns the error %s (%i) and stores no mail", async (name, status, body, headers) => {
    const refused = await send(body, headers);
    expect(refused).toMatchObject({ status, body: { statusCode: status, name } });
    expect(refused.body.message).toBeTypeOf("string");
    expect(provider.mailbox.list()).toEqual([]);
  });

  it("returns 405 for another method and 404 for another path", async () => {
    const get = await fetch(`${provider.url}/emails`);
    expect(get.status).toBe(405);
    expect(await get.json()).toMatchObject({ name: "method_not_allowed" });
    expect((await fetch(`${provider.url}/domains`)).status).toBe(404);
  });

  it("accepts a mail once for each idempotency key, and rejects a different mail with the same key", async () => {
    const key = { "idempotency-key": "one" };
    const first = await send(mail, key);
    expect(await send(mail, key)).toMatchObject({ status: 200, body: first.body });
    const other = await send({ ...mail, subject: "Other" }, key);
    expect(other).toMatchObject({ status: 409, body: { name: "invalid_idempotent_request" } });
    expect(provider.mailbox.list()).toHaveLength(1);
  });

  it("rejects a repeated request while the first one is in progress", async () => {
    const key = { "idempotency-key": "one" };
    provider.fail({ kind: "latency", ms: 300, times: 1 });
    const first = send(mail, key);
    await expect.poll(() => provider.requests()).toBe(1);
    const second = await send(mail, key);
    expect(second).toMatchObject({ status: 409, body: { name: "concurrent_idempotent_requests" } });
    expect((await first).status).toBe(200);
  });

  it("injects the requested failure the requested number of times", async () => {
    provider.fail({ kind: "rate-limit", retryAfterSeconds: 7, times: 1 });
    const limited = await send(mail, { "idempotency-key": "one" });
    expect(limited).toMatchObject({ status: 429, body: { name: "rate_limit_exceeded" } });
    expect(limited.headers.get("retry-after")).toBe("7");
    expect((await send(mail, { "idempotency-key": "one" })).status).toBe(200);
    provider.fail({ kind: "error", status: 503 });
    expect((await send(mail)).status).toBe(503);
    provider.fail({ kind: "lose-reply", times: 1 });
    await expect(send(mail)).rejects.toThrow();
    expect(provider.mailbox.list()).toHaveLength(2);
  });
});

describe("the mailbox page", () => {
  const get = (path: string, method = "GET") =>
    mailboxPage(provider.mailbox)(new Request(`http://localhost${path}`, { method }));

  it("shows the newest mail first, with its original text", async () => {
    await send({ ...mail, subject: "First" });
    await send({ ...mail, subject: "Second" });
    const html = await get("/mailbox").text();
    expect(html.indexOf("Second")).toBeLessThan(html.indexOf("First"));
    expect(html).toContain("<pre>Hello, Ada</pre>");
    expect(html).toContain("ada@example.com");
  });

  it("escapes the content of a mail, and forbids scripts", async () => {
    const evil = `"'><script>alert(1)</script>`;
    await send({ ...mail, subject: evil, text: evil, html: evil });
    const reply = get("/mailbox");
    expect(await reply.text()).not.toContain("<script");
    const policy = reply.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("sandbox");
  });

  it("shows the HTML of a mail with the same content security policy", async () => {
    const { body } = await send(mail);
    const reply = get(`/mailbox/${body.id}`);
    expect(await reply.text()).toBe(mail.html);
    expect(reply.headers.get("content-security-policy")).toContain("sandbox");
    expect(get("/mailbox/none").status).toBe(404);
    expect(get("/mailbox", "POST").status).toBe(405);
  });
});
