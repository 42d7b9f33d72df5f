import { isIP } from "node:net";
import { blockableNetwork } from "../admission/block-members.js";
import { identify } from "../auth/operator/identifier.js";
import { secondsOf } from "./duration.js";

/** What the value must be instead: `must be a user ID`. Undefined for a valid value. */
export type Check = (typed: string) => string | undefined;

const mustBe =
  (what: string, isValid: (typed: string) => boolean): Check =>
  (typed) =>
    isValid(typed) ? undefined : `must be ${what}`;

const isUuid = (typed: string) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(typed);
const isSessionId = (typed: string) => identify(typed).includes("sessionId");
const isIpAddress = (typed: string) => isIP(typed) > 0;

export const uuid = mustBe("an ID, such as 0198a1b2-c3d4-4e5f-8a9b-0c1d2e3f4a5b", isUuid);
export const sessionId = mustBe("a session ID, which has 22 characters", isSessionId);
export const ipAddress = mustBe("an IP address, such as 203.0.113.7 or 2001:db8::7", isIpAddress);
export const emailAddress = mustBe("an e-mail address", (typed) =>
  identify(typed).includes("email"),
);
/** A correlation ID of another form than a UUID could be any word. */
export const account = mustBe(
  "a user ID, an e-mail address, a session ID or a correlation ID",
  (typed) => identify(typed).some((kind) => kind !== "ip" && kind !== "correlationId"),
);
export const identifier = mustBe(
  "a user ID, an e-mail address, a session ID, a correlation ID or an IP address",
  (typed) => identify(typed).length > 0,
);
export const caller = mustBe(
  "an IP address, an e-mail address, a user ID, a session ID or ops-ID of an API token",
  (typed) =>
    identify(typed).some((kind) => kind !== "correlationId") || /^ops-[\da-f]{16}$/.test(typed),
);
export const network: Check = (typed) => {
  const found = blockableNetwork(typed);
  const isNetwork = typed.includes("/") && !("problem" in found);
  return isNetwork
    ? undefined
    : "must be an IPv4 network of /8, /16 or /24, or an IPv6 network of /32, /48 or /64";
};
export const since = mustBe(
  "a time, a date or an age, such as 2026-01-31T08:00:00Z, 2026-01-31 or 12h",
  (typed) =>
    secondsOf(typed) >= 0 ||
    (/^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(typed) && Date.parse(typed) >= 0),
);

export const text = (max: number, min = 1) =>
  mustBe(`a text of ${min} to ${max} characters`, (typed) => {
    const { length } = typed.trim();
    return length >= min && length <= max;
  });
export const matching = (pattern: RegExp, what: string) =>
  mustBe(what, (typed) => pattern.test(typed));
export const numberFrom = (min: number, max: number) =>
  mustBe(
    `a whole number from ${min} to ${max}`,
    (typed) => /^\d{1,15}$/.test(typed) && Number(typed) >= min && Number(typed) <= max,
  );
export const oneOf = (values: readonly string[]) =>
  mustBe(listOf(values), (typed) => values.includes(typed));
export const listed =
  (each: Check): Check =>
  (typed) =>
    typed.split(",").filter(Boolean).map(each).find(Boolean);

/** At least a minute; `90s` occurs in undo commands. */
export const durationUpTo = (daysMax: number) =>
  mustBe(`a duration from 1m to ${daysMax}d, such as 30m, 12h or 7d`, (typed) => {
    const seconds = secondsOf(typed);
    return seconds >= 60 && seconds <= daysMax * 86_400;
  });

/** `a, b or c`. */
export function listOf(values: readonly string[]): string {
  return [values.slice(0, -1).join(", "), values.at(-1)].filter(Boolean).join(" or ");
}
