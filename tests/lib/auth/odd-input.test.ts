import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import register from "../../../api/auth/register.js";
import { call } from "../../support/call.js";
import { anAddress, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const signUp = (fields: Record<string, unknown>) =>
  call(register, "POST", {
    body: {
      email: `new-${randomUUID()}@example.com`,
      password,
      name: "Ada",
      acceptedTerms: true,
      ...fields,
    },
    ip: anAddress(),
  });
const signIn = (fields: Record<string, unknown>) =>
  call(login, "POST", { body: { email: "ada@example.com", password, ...fields }, ip: anAddress() });

describe("an e-mail address in another notation", () => {
  const id = () => randomUUID().slice(0, 8);

  it.each<[string, (id: string) => string, (id: string) => string]>([
    [
      "in full-width letters",
      (n) => `ａｄａ-${n}＠ｅｘａｍｐｌｅ．ｃｏｍ`,
      (n) => `ada-${n}@example.com`,
    ],
    ["with a wide @", (n) => `ada-${n}＠example.com`, (n) => `ada-${n}@example.com`],
    ["with a small @", (n) => `ada-${n}﹫example.com`, (n) => `ada-${n}@example.com`],
    ["with a ligature", (n) => `ﬁona-${n}@example.com`, (n) => `fiona-${n}@example.com`],
    ["in circled letters", (n) => `ⓐⓓⓐ-${n}@example.com`, (n) => `ada-${n}@example.com`],
    ["in mathematical letters", (n) => `𝐚𝐝𝐚-${n}@example.com`, (n) => `ada-${n}@example.com`],
    ["with the Kelvin sign", (n) => `\u212Aate-${n}@example.com`, (n) => `kate-${n}@example.com`],
    ["with a combining mark", (n) => `zoe\u0308-${n}@example.com`, (n) => `zoë-${n}@example.com`],
    ["in IDNA", (n) => `ada-${n}@BÜCHER.example`, (n) => `ada-${n}@xn--bcher-kva.example`],
    ["with an ideographic stop", (n) => `ada-${n}@example。com`, (n) => `ada-${n}@example.com`],
    ["with a plus-tag", (n) => `Ada+Es-${n}@Example.com`, (n) => `ada+es-${n}@example.com`],
    [
      "with white space around",
      (n) => `\u3000\t ada-${n}@example.com\n`,
      (n) => `ada-${n}@example.com`,
    ],
    ["with an apostrophe", (n) => `O'Brien-${n}@example.com`, (n) => `o'brien-${n}@example.com`],
    [
      "that looks like SQL",
      (n) => `a'or'1'='1-${n}@example.com`,
      (n) => `a'or'1'='1-${n}@example.com`,
    ],
    [
      "with the name of a prototype",
      (n) => `__proto__-${n}@example.com`,
      (n) => `__proto__-${n}@example.com`,
    ],
  ])("is registered and found in one canonical form: %s", async (_, write, canonical) => {
    const n = id();
    const made = await signUp({ email: write(n) });
    expect(made.status).toBe(201);
    expect(made.body.user.email).toBe(canonical(n));
    for (const email of [write(n), canonical(n), canonical(n).toUpperCase()]) {
      const found = await signIn({ email });
      expect(found.status).toBe(200);
      expect(found.body.user.id).toBe(made.body.user.id);
    }
  });

  it("is a different address when it only looks the same", async () => {
    const n = id();
    const latin = await signUp({ email: `paypal-${n}@example.com` });
    const cyrillic = await signUp({
      email: `p\u0430ypal-${n}@example.com`,
      password: "another password",
    });
    expect(cyrillic.status).toBe(201);
    expect(cyrillic.body.user.email).not.toBe(latin.body.user.email);
    const found = await signIn({ email: `paypal-${n}@example.com` });
    expect(found.body.user.id).toBe(latin.body.user.id);
  });
});

describe("an invalid e-mail address", () => {
  it.each([
    ["a zero-width space", "ada\u200b@example.com"],
    ["a zero-width joiner", "ad\u200da@example.com"],
    ["a byte order mark inside", "ad\ufeffa@example.com"],
    ["a right-to-left override", "\u202eada@example.com"],
    ["an isolate", "ada\u2066@example.com"],
    ["a soft hyphen", "a\u00adda@example.com"],
    ["a variation selector", "ada\ufe0f@example.com"],
    ["two @", "ada@eve@example.com"],
    ["two @, one of them wide", "ada＠eve@example.com"],
    ["a header", "ada@example.com\r\nBcc: eve@example.com"],
    ["a path in the domain", "ada@example.com/../eve"],
    ["an encoded domain", "ada@%65xample.com"],
    ["an IP address", "ada@[127.0.0.1]"],
    ["a numeric domain", "ada@127.1"],
    ["SQL", "' or 1=1 --"],
    ["markup", "<script>alert(1)</script>@example.com"],
    ["a template", "{{7*7}}@{{7*7}}"],
    ["an empty string", ""],
    ["one @", "@"],
    ["254 @", "@".repeat(254)],
    ["254 letters", "a".repeat(254)],
  ])("is refused at registration and unknown at login: %s", async (_, email) => {
    const made = await signUp({ email });
    expect(made).toMatchObject({ status: 422, code: "validation_failed" });
    expect(made.body.errors).toMatchObject([{ pointer: "/email", code: "email_invalid" }]);
    expect(await signIn({ email })).toMatchObject({ status: 401, code: "invalid_credentials" });
  });
});

describe("text that cannot be stored", () => {
  it.each(["email", "password", "name"])(
    "returns validation_failed for NUL or a lone surrogate in %s",
    async (field) => {
      for (const text of ["ada\0@example.com", "ada\ud800@example.com", "\udc00ada@example.com"]) {
        const made = await signUp({ [field]: text });
        expect(made).toMatchObject({ status: 422, code: "validation_failed" });
        expect(made.body.errors).toMatchObject([{ pointer: `/${field}` }]);
        if (field === "name") continue;
        expect(await signIn({ [field]: text })).toMatchObject({ status: 422 });
      }
    },
  );

  it.each([
    '{"email":"ada@example.com","password":"x","__proto__":{"role":"admin"}}',
    '{"email":"ada@example.com","password":"x","constructor":{"prototype":{"role":"admin"}}}',
    '{"email":"ada@example.com","password":"x","device":{"__proto__":{"id":"12345678"}}}',
    '{"email":"ada@example.com","password":"x"',
    '["ada@example.com"]x',
    "\ufeff",
    "",
  ])("returns malformed_body for %j", async (body) => {
    for (const route of [login, register]) {
      const answer = await call(route, "POST", {
        body,
        headers: { "content-type": "application/json" },
        ip: anAddress(),
      });
      expect(answer).toMatchObject({ status: 400, code: "malformed_body" });
    }
  });

  it.each<[string, unknown]>([
    ["an object", { $gt: "" }],
    ["a list", ["ada@example.com"]],
    ["a number", 1e308],
    ["true", true],
    ["null", null],
  ])("returns validation_failed when a field is %s", async (_, value) => {
    for (const field of ["email", "password"]) {
      expect(await signIn({ [field]: value })).toMatchObject({ status: 422 });
      expect(await signUp({ [field]: value })).toMatchObject({ status: 422 });
    }
  });
});

describe("a name", () => {
  it.each([
    "O'Brien",
    "Robert'); DROP TABLE users;--",
    "<script>alert(1)</script>",
    "ليلى العلوي",
    "נֹעָה",
    "李小龙",
    "Zoe\u0308",
    "👩‍🚀",
    "{{7*7}} %s %00",
    "constructor",
  ])("is stored as typed: %j", async (name) => {
    const { status, body } = await signUp({ name });
    expect(status).toBe(201);
    const [row] = await stores.sql("select name from users where id = $1", body.user.id);
    expect(row?.name).toBe(name);
  });
});

describe("any text at all", () => {
  const text = fc.string({ unit: "binary", maxLength: 80 });
  const email = fc.oneof(
    text,
    fc.tuple(text, text).map(([local, domain]) => `${local}@${domain}`),
  );

  it("never causes a server error at register or login", async () => {
    await fc.assert(
      fc.asyncProperty(email, text, text, async (address, secret, name) => {
        const made = await signUp({ email: address, password: secret, name });
        expect([201, 422]).toContain(made.status);
        const found = await signIn({ email: address, password: secret });
        expect([200, 401, 422, 429]).toContain(found.status);
        if (made.status === 201) expect(found.body.user?.email).toBe(made.body.user.email);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
