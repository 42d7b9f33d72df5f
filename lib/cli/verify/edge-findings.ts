import type { SecureVersion } from "node:tls";
import type { ControlFinding } from "../../operations/state/verification-report.js";
import { type HttpReply, send } from "../../platform/keep-alive-http.js";
import { type Handshake, handshake } from "./handshake.js";

interface Options {
  timeoutMs: number;
  /** Where plain HTTP would be answered. */
  plainUrl: URL | undefined;
  /** For OpenSSL on this machine. */
  ciphers?: string;
}

type Finding = Omit<ControlFinding, "control">;

const yearSeconds = 31_536_000;
const daysLeftMin = 14;
const dayMs = 86_400_000;
const path = "/api/livez";

/** TLS, certificate and headers as this machine sees them. Never rejects. What could not be shown does not pass. */
export async function edgeFindings(
  url: URL,
  given: Partial<Options> = {},
): Promise<ControlFinding[]> {
  const options: Options = { timeoutMs: 5000, plainUrl: plainUrlOf(url), ...given };
  const found =
    url.protocol === "https:" ? await secureFindings(url, options) : [plainFinding(url)];
  return found.map((finding) => ({ control: "transport", ...finding }));
}

/** Only the default ports of HTTP and HTTPS belong together. */
function plainUrlOf({ hostname, port }: URL): URL | undefined {
  return port === "" ? new URL(`http://${hostname}`) : undefined;
}

function plainFinding({ hostname }: URL): Finding {
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  const detail = isLocal
    ? "not checked: plain HTTP on this machine"
    : "none: the URL is plain HTTP";
  return { name: "TLS", status: isLocal ? "warn" : "fail", detail };
}

async function secureFindings(url: URL, options: Options): Promise<Finding[]> {
  const offer = (version?: SecureVersion) =>
    handshake(url, { ...options, ...(version && { version }) });
  const [any, newest, floor, ...old] = await Promise.all([
    offer(),
    offer("TLSv1.3"),
    offer("TLSv1.2"),
    offer("TLSv1.1"),
    offer("TLSv1"),
  ]);
  const answersTls = [any, newest, floor].some(({ is }) => is === "agreed");
  return [
    required(newest),
    reported(floor, any, answersTls),
    ...["TLS 1.1", "TLS 1.0"].map((name, at) => refused(name, old[at], answersTls)),
    certificateFinding(any),
    ...(await Promise.all([hstsFinding(url, options), redirectFinding(url, options)])),
  ];
}

const agreedText = ({ protocol, cipher }: Extract<Handshake, { is: "agreed" }>) =>
  `offered: agreed on ${protocol} with ${cipher}`;

function required(found: Handshake): Finding {
  const name = "TLS 1.3";
  if (found.is === "agreed") return { name, status: "pass", detail: agreedText(found) };
  const detail =
    found.is === "not_offered" ? notShown(found.why) : `not offered by the server: ${found.why}`;
  return { name, status: "fail", detail };
}

/** Allowed, because Vercel offers it to every client. */
function reported(found: Handshake, any: Handshake, answersTls: boolean): Finding {
  const name = "TLS 1.2";
  if (found.is !== "agreed") return refused(name, found, answersTls);
  const both = any.is === "agreed" ? `; a client that offers both gets ${any.protocol}` : "";
  return {
    name,
    status: "pass",
    detail: `${agreedText(found)}${both}; the lowest allowed version`,
  };
}

function refused(name: string, found: Handshake | undefined, answersTls: boolean): Finding {
  if (found?.is === "agreed") return { name, status: "fail", detail: agreedText(found) };
  const why = found?.why ?? "";
  if (found?.is === "not_offered") return { name, status: "warn", detail: notShown(why) };
  // A server that closes every connection refuses no version in particular.
  if (found?.is === "refused" || (found?.is === "closed" && answersTls)) {
    return { name, status: "pass", detail: `refused by the server: ${why}` };
  }
  return { name, status: "warn", detail: `not shown: ${why}` };
}

const notShown = (why: string) => `not shown: OpenSSL on this machine cannot offer it (${why})`;

function certificateFinding(any: Handshake): Finding {
  const name = "certificate";
  if (any.is !== "agreed") return { name, status: "fail", detail: `not shown: ${any.why}` };
  const { names, issuer, validTo, problem } = any.certificate;
  const days = Math.floor((validTo.getTime() - Date.now()) / dayMs);
  const end = Number.isNaN(days) ? "no end" : `${validTo.toISOString()} (${days} days left)`;
  const detail = `for ${names}, issued by ${issuer}, valid until ${end}`;
  if (problem) return { name, status: "fail", detail: `${detail}; NOT TRUSTED: ${problem}` };
  return { name, status: days < daysLeftMin ? "warn" : "pass", detail };
}

async function hstsFinding(url: URL, { timeoutMs }: Options): Promise<Finding> {
  const name = "HSTS";
  try {
    const { headers } = await send(new URL(path, url), "GET", { headers: {}, timeoutMs });
    const value = headers["strict-transport-security"];
    return value ? judgeHsts(value) : { name, status: "fail", detail: "no header" };
  } catch (error) {
    return { name, status: "fail", detail: `not shown: ${reasonOf(error)}` };
  }
}

/** Source: RFC 6797, 6.1: names in any case, values may be quoted, a directive must not be repeated. */
export function judgeHsts(value: string): Finding {
  const name = "HSTS";
  const directives = value.split(";").map((one) => one.trim().toLowerCase());
  const ages = directives.filter((one) => /^max-age\s*=/.test(one));
  const [, digits] = /^max-age\s*=\s*"?(\d+)"?$/.exec(ages[0] ?? "") ?? [];
  if (digits === undefined || ages.length > 1) {
    return { name, status: "fail", detail: `${value}: no valid max-age` };
  }
  if (Number(digits) < yearSeconds) {
    return { name, status: "fail", detail: `${value}: max-age is below one year` };
  }
  const hasSubdomains = directives.includes("includesubdomains");
  const detail = hasSubdomains ? value : `${value}: without includeSubDomains`;
  return { name, status: hasSubdomains ? "pass" : "warn", detail };
}

async function redirectFinding(url: URL, { plainUrl, timeoutMs }: Options): Promise<Finding> {
  const name = "HTTP to HTTPS";
  if (!plainUrl) return { name, status: "warn", detail: `not checked: the port is ${url.port}` };
  const target = new URL(path, plainUrl);
  try {
    const reply = await send(target, "GET", { headers: {}, timeoutMs });
    return { name, ...judgeRedirect(url, target, reply) };
  } catch (error) {
    const reason = reasonOf(error);
    const isClosed = reason === "ECONNREFUSED";
    const detail = isClosed ? `port ${target.port || 80} is closed` : `not shown: ${reason}`;
    return { name, status: isClosed ? "pass" : "warn", detail };
  }
}

function judgeRedirect(
  url: URL,
  asked: URL,
  { status, headers }: HttpReply,
): Pick<Finding, "status" | "detail"> {
  const { location = "" } = headers;
  const target = URL.canParse(location, asked.href) ? new URL(location, asked.href) : undefined;
  const isRedirect = status >= 300 && status < 400 && target !== undefined;
  if (!isRedirect) return { status: "fail", detail: `answers ${status} over plain HTTP` };
  const isGood = target.protocol === "https:" && target.hostname === url.hostname;
  return { status: isGood ? "pass" : "fail", detail: `${status} to ${target.origin}` };
}

function reasonOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  return name === "TimeoutError" ? "no answer in time" : (code ?? message);
}
