import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { CallerInfo } from "./client.js";

/** Removed from client requests. The signature of a webhook is its sender's. */
const platformHeader = /^(x-vercel-(?!signature$).*|x-forwarded-.*|forwarded|x-real-ip)$/i;

export function setPlatformHeaders(
  incoming: IncomingMessage,
  client: CallerInfo,
  requestId: string,
): void {
  const values: Record<string, string> = {
    "x-forwarded-for": client.address,
    "x-forwarded-host": incoming.headers.host ?? "",
    "x-forwarded-proto": client.protocol,
    "x-real-ip": client.address,
    "x-vercel-forwarded-for": client.address,
    "x-vercel-id": requestId,
  };
  const rawHeaders: string[] = [];
  const sent = incoming.rawHeaders;
  for (let i = 0; i < sent.length; i += 2) {
    const name = sent[i] ?? "";
    if (platformHeader.test(name)) delete incoming.headers[name.toLowerCase()];
    else rawHeaders.push(name, sent[i + 1] ?? "");
  }
  for (const [name, value] of Object.entries(values)) {
    rawHeaders.push(name, value);
    incoming.headers[name] = value;
  }
  incoming.rawHeaders = rawHeaders;
}

const instance = randomBytes(3).toString("hex").slice(0, 5);
let sequence = 0;

/** As on the platform: `self1::8f3c1-1700000000000-0000000000a1`. */
export function createRequestId(): string {
  sequence += 1;
  return `self1::${instance}-${Date.now()}-${sequence.toString(16).padStart(12, "0")}`;
}
