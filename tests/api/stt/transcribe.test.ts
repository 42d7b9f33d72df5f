import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import transcribe from "../../../api/stt/transcribe.js";
import {
  startToolkitEndpoint,
  type ToolkitEndpoint,
} from "../../../dev/toolkit/toolkit-endpoint.js";
import { env } from "../../../lib/env.js";
import { limitsOf } from "../../../lib/rate-limit/policies.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { lyingHeaders } from "../../support/lying-headers.js";
import { aConfirmedUser } from "../../support/mailed-codes.js";
import { aGuest, anAddress, aUser, type Person } from "../../support/people.js";
import { aac, mp4InFragments, multipart, wav, webmOnTheFly } from "../../support/recordings.js";
import { useStores } from "../../support/stores.js";

useEnvironment();
const stores = useStores();
const lines = useLogLines();
let toolkit: ToolkitEndpoint;
let person: Person;

beforeAll(async () => {
  toolkit = await startToolkitEndpoint("tk_test");
});
afterAll(() => toolkit.close());
beforeEach(async () => {
  setEnvironment({
    EXPO_PUBLIC_TOOLKIT_URL: toolkit.url,
    TOOLKIT_API_KEY: "tk_test",
    LOG_LEVEL: "trace",
  });
  toolkit.fail(null);
  toolkit.requests.length = 0;
  await stores.liftLimits();
  await stores.redis("DEL", "gate", "breaker:toolkit");
  person = await aUser();
});

async function send(
  audio: Uint8Array<ArrayBuffer> | null,
  fields: Record<string, string> = {},
  { token = person.accessToken, ip = anAddress(), type = "audio/wav" } = {},
) {
  return call(transcribe, "POST", { token, ip, ...(await multipart(audio, fields, type)) });
}

const counter = (subject: string) =>
  `rate:toolkit:${subject}:${Math.floor(Date.now() / 86_400_000)}`;

/** Sends a multipart body unchanged, with the boundary b. */
function sendRaw(...parts: (string | Uint8Array)[]) {
  const headers = { "content-type": "multipart/form-data; boundary=b" };
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return call(transcribe, "POST", { token: person.accessToken, headers, body });
}

describe("POST /api/stt/transcribe", () => {
  it("returns the transcription and forwards the key, the options and the correlation ID", async () => {
    const { status, body, headers } = await send(wav(1), {
      language: "es",
      formatting: "enhanced",
      punctuation: "true",
      alternatives: "2",
    });
    expect(status).toBe(200);
    expect(body.text).toMatch(/^sound-/);
    expect(body.language).toBe("es");
    expect(body.alternatives).toHaveLength(2);
    expect(body.timestamps.at(-1).end).toBeCloseTo(1);
    const [request] = toolkit.requests;
    expect(request?.headers).toMatchObject({
      authorization: "Bearer tk_test",
      "x-correlation-id": headers.get("x-correlation-id"),
    });
    expect(Buffer.from(request?.body ?? []).toString("latin1")).toContain("enhanced");
  });

  it("detects the audio type from the first bytes, not from the declared type", async () => {
    const { status } = await send(wav(1), {}, { type: "audio/webm;codecs=opus" });
    expect(status).toBe(200);
    expect(Buffer.from(toolkit.requests[0]?.body ?? []).toString("latin1")).toContain(
      "Content-Type: audio/wav",
    );
  });

  it("stores neither the recording nor the text", async () => {
    const { body } = await send(wav(1));
    await stores.settled();
    const keys = (await stores.redis("KEYS", "toolkit:*")) as string[];
    expect(keys).toEqual([]);
    expect(lines.written().join("\n")).not.toContain(body.text);
  });

  it.each([
    ["a body without audio", null, {}, 422, "validation_failed", ["/audio"]],
    ["an empty recording", new Uint8Array(), {}, 422, "validation_failed", ["/audio"]],
    ["text instead of audio", new TextEncoder().encode("hello"), {}, 415, "audio_unsupported", []],
    ["an incomplete WAV header", wav(1).slice(0, 14), {}, 415, "audio_unsupported", []],
    ["a recording longer than a minute", wav(62), {}, 422, "audio_too_long", []],
    ["a longer recording of a browser", webmOnTheFly(62), {}, 422, "audio_too_long", []],
    ["a recording of almost empty frames", aac(10_000, 9), {}, 422, "audio_too_long", []],
    [
      "a recording with an excessive sample count",
      mp4InFragments([2 ** 32 - 1]),
      {},
      422,
      "audio_too_long",
      [],
    ],
    [
      "a recording larger than 4 MB",
      new Uint8Array(4 * 1024 * 1024 + 1),
      {},
      413,
      "payload_too_large",
      [],
    ],
    ["an unknown option", wav(1), { unknown: "x" }, 422, "validation_failed", ["/unknown"]],
    [
      "an invalid option value",
      wav(1),
      { formatting: "fine" },
      422,
      "validation_failed",
      ["/formatting"],
    ],
  ] as const)(
    "refuses %s before it calls the toolkit",
    async (_, audio, fields, status, code, pointers) => {
      const answer = await send(audio, fields);
      expect(answer).toMatchObject({ status, code });
      expect((answer.body.errors ?? []).map((field: { pointer: string }) => field.pointer)).toEqual(
        pointers,
      );
      expect(toolkit.requests).toEqual([]);
    },
  );

  it.each(lyingHeaders)(
    "refuses a lying header before it calls the toolkit: %s",
    async (_, file) => {
      const answer = await send(file);
      expect([415, 422]).toContain(answer.status);
      expect(["audio_unsupported", "audio_too_long"]).toContain(answer.code);
      expect(toolkit.requests).toEqual([]);
    },
  );

  it("returns 415 without a multipart body and 400 for a truncated one", async () => {
    const token = person.accessToken;
    const json = await call(transcribe, "POST", { token, body: {} });
    expect(json).toMatchObject({ status: 415, code: "multipart_needed" });
    const { body, headers } = await multipart(wav(1));
    const cut = await call(transcribe, "POST", { token, headers, body: body.slice(0, 500) });
    expect(cut).toMatchObject({ status: 400, code: "malformed_body" });
  });

  it.each([
    ["a browser", 'form-data; name="audio"; filename="a.wav"'],
    ["React Native 0.74", `form-data; name="audio"; filename="a.wav"; filename*=utf-8''a.wav`],
    [".NET", "form-data; name=audio; filename=a.wav; filename*=utf-8''a.wav"],
    ["curl, with a quote in the file name", 'form-data; name="audio"; filename="\\"a.wav"'],
    ["a client that omits spaces", 'form-data;name="audio";filename="a.wav"'],
    [
      "a client with a line separator in the file name",
      'form-data; name="audio"; filename="a\u2028b.wav"',
    ],
    [
      "a client with a paragraph separator before the name",
      'form-data; filename="a\u2029b.wav"; name="audio"',
    ],
    ["a client with an unknown character set", "form-data; name=audio; filename*=none''a.wav"],
    [
      "a client with a semicolon in the file name",
      'form-data; filename="a; name=b.wav"; name="audio"',
    ],
  ])("accepts a recording as %s sends it", async (_, disposition) => {
    const language = '--b\r\ncontent-disposition: form-data; name="language"\r\n\r\nes\r\n';
    const audio = `--b\r\nContent-Length: 1\r\nContent-Disposition: ${disposition}\r\n\r\n`;
    const answer = await sendRaw(language, audio, wav(1), "\r\n--b--\r\n");
    expect(answer).toMatchObject({ status: 200, body: { language: "es" } });
    const sent = Buffer.from(toolkit.requests[0]?.body ?? []);
    expect(sent.includes(Buffer.from(wav(1)))).toBe(true);
  });

  it("accepts a preamble, an epilogue and space after a boundary (RFC 2046)", async () => {
    const head = `preamble\r\n--b \t\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n`;
    expect((await sendRaw(head, wav(1), "\r\n--b--\r\nepilogue")).status).toBe(200);
  });

  it.each([
    ["no name", "content-disposition: form-data; filename=a"],
    ["no disposition", "content-type: audio/wav"],
    ["another disposition", 'content-disposition: attachment; name="audio"; filename="a"'],
    ["a header of 20 kB", `x: ${"x".repeat(20_000)}`],
    ["unterminated headers", null],
  ])("returns 400 for a part with %s", async (_, header) => {
    const part = header === null ? "--b\r\nx: y" : `--b\r\n${header}\r\n\r\n`;
    const answer = await sendRaw(part, wav(0.1), "\r\n--b--\r\n");
    expect(answer).toMatchObject({ status: 400, code: "malformed_body" });
    expect(toolkit.requests).toEqual([]);
  });

  it("returns 400 for a body that is empty, or that has no line with the boundary", async () => {
    const part = '--b\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n';
    for (const body of [[], ["x", part, wav(0.1), "--b--"]]) {
      expect(await sendRaw(...body)).toMatchObject({ status: 400, code: "malformed_body" });
    }
  });

  it.each(["__proto__", "constructor", "prototype", "toString"])(
    "refuses a field named %s, as any unknown one",
    async (name) => {
      const answer = await sendFields([name]);
      expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
      expect(answer.body.errors).toMatchObject([
        { pointer: `/${name}`, code: "unrecognized_keys" },
      ]);
    },
  );

  it.each(["language", "unknown", "__proto__"])("refuses a repeated field %s", async (name) => {
    const answer = await sendFields([name, name]);
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toMatchObject([{ pointer: `/${name}`, code: "repeated" }]);
  });

  function sendFields(names: string[]) {
    const part = (name: string) =>
      `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\nes\r\n`;
    const file = `--b\r\ncontent-disposition: form-data; name="audio"; filename="a"\r\n\r\n`;
    const start = Buffer.from(names.map(part).join("") + file);
    const body = Buffer.concat([start, wav(0.1), Buffer.from("\r\n--b--\r\n")]);
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    return call(transcribe, "POST", { token: person.accessToken, headers, body });
  }

  it("refuses a text field that is not UTF-8", async () => {
    const head = '--b\r\ncontent-disposition: form-data; name="language"\r\n\r\n';
    const answer = await sendRaw(head, new Uint8Array([0xff]), "\r\n--b--");
    expect(answer).toMatchObject({ status: 400, code: "malformed_body" });
  });

  it("validates up to 32 parts, and returns 400 for more before reading any", async () => {
    const token = person.accessToken;
    const headers = { "content-type": 'multipart/form-data; charset=utf-8; boundary="a b"' };
    const sent = (parts: number) => {
      const part = `--a b\r\ncontent-disposition: form-data; name="audio"; filename="a"\r\n\r\n\r\n`;
      const body = new TextEncoder().encode(`${part.repeat(parts)}--a b--\r\n`);
      return call(transcribe, "POST", { token, headers, body });
    };
    expect(await sent(32)).toMatchObject({ status: 422, code: "validation_failed" });
    expect(await sent(33)).toMatchObject({ status: 400, code: "malformed_body" });
  });

  it.each([
    ["no boundary", "charset=utf-8"],
    ["an empty recording", "boundary="],
    ["an unterminated quote", 'boundary="b'],
    ["a boundary that is too long", `boundary=${"b".repeat(71)}`],
    ["invalid characters in the boundary", "boundary=b\u00e9"],
    ["two boundaries", "boundary=c; boundary=b"],
  ])("returns 400 for a body with %s", async (_, parameter) => {
    const part = `--b\r\ncontent-disposition: form-data; name="audio"; filename="a"\r\n\r\n`;
    const body = Buffer.concat([Buffer.from(part), wav(0.1), Buffer.from("\r\n--b--\r\n")]);
    const headers = { "content-type": `multipart/form-data; ${parameter}` };
    const answer = await call(transcribe, "POST", { token: person.accessToken, headers, body });
    expect(answer).toMatchObject({ status: 400, code: "malformed_body" });
    expect(toolkit.requests).toEqual([]);
  });

  it("allows ten requests a minute per user, on any device", async () => {
    for (let at = 0; at < 10; at += 1) expect((await send(wav(0.1))).status).toBe(200);
    expect(await send(wav(0.1))).toMatchObject({ status: 429, code: "rate_limited" });
    const other = await aUser();
    expect((await send(wav(0.1), {}, { token: other.accessToken })).status).toBe(200);
  });

  it("allows fifty requests a day for all guests of one IP address", async () => {
    const ip = anAddress();
    const guests = await Promise.all(Array.from({ length: 6 }, () => aGuest()));
    const answers: number[] = [];
    for (let at = 0; at < 51; at += 1) {
      const token = guests[Math.floor(at / 9)]?.accessToken ?? "";
      answers.push((await send(wav(0.01), {}, { token, ip })).status);
    }
    expect(answers).toEqual([...Array(50).fill(200), 429]);
    expect((await send(wav(0.01), {}, { ip })).status).toBe(200);
  });

  it("allows fifty requests a day for an account without a verified address, from any IP address", async () => {
    await stores.redis("SET", counter(`unverified:${person.user.id}`), "49");
    expect((await send(wav(0.01))).status).toBe(200);
    expect(await send(wav(0.01))).toMatchObject({ status: 429, code: "rate_limited" });
    expect((await send(wav(0.01), {}, { token: (await aUser()).accessToken })).status).toBe(200);
  });

  it("does not count a request that is refused before the toolkit is called", async () => {
    await send(wav(0.01));
    await send(new Uint8Array());
    await stores.settled();
    expect(await stores.redis("GET", counter(`unverified:${person.user.id}`))).toBe("1");
  });

  it("limits unverified accounts per IP address, so that others keep their share of the daily calls", async () => {
    setEnvironment({
      EXPO_PUBLIC_TOOLKIT_URL: toolkit.url,
      TOOLKIT_API_KEY: "tk_test",
      TOOLKIT_DAILY_CALLS: "12000",
    });
    const ip = anAddress();
    await stores.redis("SET", counter(`unverified-ip:${ip}`), "599");
    expect((await send(wav(0.01), {}, { ip })).status).toBe(200);
    const refused = await send(wav(0.01), {}, { ip, token: (await aUser()).accessToken });
    expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    const { accessToken: guest } = await aGuest();
    expect((await send(wav(0.01), {}, { ip, token: guest })).status).toBe(429);
    expect((await send(wav(0.01))).status).toBe(200);
  });

  it("counts a verified account neither per account nor per IP address", async () => {
    const { accessToken: token, email } = await aConfirmedUser(stores);
    const body = { email, password: person.password };
    const { accessToken: verified } = (await call(login, "POST", { body })).body;
    const ip = anAddress();
    await send(wav(0.01), {}, { token: verified, ip });
    expect(await stores.redis("KEYS", `rate:toolkit:unverified*`)).toEqual([]);
    // An earlier token still counts as unverified until it is refreshed.
    await send(wav(0.01), {}, { token, ip });
    expect(await stores.redis("KEYS", `rate:toolkit:unverified*`)).toHaveLength(2);
  });

  it("allows an IP address at least 500 calls a day", () => {
    const [, ofAddress] = limitsOf({
      ...env(),
      toolkit: { ...env().toolkit, dailyCallsMax: 1000 },
    }).toolkit;
    expect(ofAddress).toMatchObject({ kind: "unverified-ip", max: 500 });
  });

  it("returns 503 with Retry-After when the daily calls are used up", async () => {
    setEnvironment({
      EXPO_PUBLIC_TOOLKIT_URL: toolkit.url,
      TOOLKIT_API_KEY: "tk_test",
      TOOLKIT_DAILY_CALLS: "2",
    });
    expect((await send(wav(0.1))).status).toBe(200);
    expect((await send(wav(0.1))).status).toBe(200);
    const answer = await send(wav(0.1));
    expect(answer).toMatchObject({ status: 503, code: "toolkit_unavailable" });
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("does not count a guest's request when the daily calls are used up", async () => {
    const [guest, ip] = [await aGuest(), anAddress()];
    const environment = { EXPO_PUBLIC_TOOLKIT_URL: toolkit.url, TOOLKIT_API_KEY: "tk_test" };
    setEnvironment({ ...environment, TOOLKIT_DAILY_CALLS: "1" });
    expect((await send(wav(0.1))).status).toBe(200);
    for (let at = 0; at < 3; at += 1) {
      const answer = await send(wav(0.1), {}, { token: guest.accessToken, ip });
      expect(answer.code).toBe("toolkit_unavailable");
    }
    await stores.settled();
    const counters = `rate:toolkit:unverified:guests/${ip}:*`;
    const [key = ""] = (await stores.redis("KEYS", counters)) as string[];
    expect(await stores.redis("GET", key)).toBe("0");
  });

  it("returns 503 feature_disabled while an operator forces the breaker open", async () => {
    await stores.redis("HSET", "gate", "breaker:toolkit", "forced_open:3:0");
    const answer = await send(wav(0.1));
    expect(answer).toMatchObject({ status: 503, code: "feature_disabled" });
    expect(answer.headers.get("retry-after")).toBe("60");
    expect(toolkit.requests).toEqual([]);
  });

  it.each([
    ["reset", { kind: "reset" }, 3],
    ["500", { kind: "status", status: 500 }, 3],
    ["busy for a minute", { kind: "status", status: 429, retryAfterSeconds: 60 }, 1],
    ["cut off during the response", { kind: "half-body" }, 3],
    ["answering HTML", { kind: "invalid-json" }, 1],
    ["answering with another schema", { kind: "wrong-schema" }, 1],
  ] as const)(
    "returns 503 toolkit_unavailable when the toolkit is %s",
    async (_, fault, attempts) => {
      toolkit.fail(fault);
      const answer = await send(wav(0.1));
      expect(answer).toMatchObject({ status: 503, code: "toolkit_unavailable" });
      const wait = fault.kind === "status" && fault.status === 429 ? "60" : "1";
      expect(answer.headers.get("retry-after")).toBe(wait);
      expect(toolkit.requests).toHaveLength(attempts);
    },
  );

  it("returns the toolkit's reason when it refuses a recording", async () => {
    toolkit.fail({ kind: "status", status: 422 });
    expect(await send(wav(0.1))).toMatchObject({ status: 422, code: "audio_too_long" });
  });

  it("needs no additional Redis round trip while the toolkit responds", async () => {
    await send(wav(0.1));
    await stores.resetCalls();
    expect((await send(wav(0.1))).status).toBe(200);
    await stores.settled();
    expect(stores.calls().redisTrips).toBe(1);
  });

  it("returns 503 without calling the toolkit while Redis is unavailable", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    const answer = await send(wav(0.1));
    expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(toolkit.requests).toEqual([]);
  });
});
