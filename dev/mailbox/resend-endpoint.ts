import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { faultsOnDemand } from "../faults-on-demand.js";
import { listenLocally } from "../listen-locally.js";
import { Mailbox } from "./mailbox.js";
import { createResendProtocol, type ResendReply, resendError } from "./resend-protocol.js";

/**
 * A fault for the next `times` requests (default: all). Only `hang` and `lose-reply` also affect a request that is refused
 * or repeated.
 */
type MailFault = { times?: number } & (
  | { kind: "rate-limit"; retryAfterSeconds: number }
  | { kind: "error"; status: number }
  | { kind: "latency"; ms: number }
  /** The mail is accepted, but the reply is lost. */
  | { kind: "lose-reply" }
  | { kind: "hang" }
);

export interface ResendEndpoint {
  url: string;
  apiKey: string;
  mailbox: Mailbox;
  requests(): number;
  fail(fault: MailFault | null): void;
  close(): Promise<void>;
}

/** Serve Resend's API with a local mailbox on a free local port. */
export async function startResendEndpoint(apiKey: string): Promise<ResendEndpoint> {
  const mailbox = new Mailbox();
  const answer = createResendProtocol(mailbox, apiKey);
  const faults = faultsOnDemand<MailFault>();
  let requests = 0;

  const server = createServer((request, response) => {
    requests += 1;
    serve(request, response).catch(() => response.socket?.resetAndDestroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const now = faults.next();
    if (now?.kind === "hang") return;
    const key = request.headers["idempotency-key"];
    const { method = "GET", url = "/" } = request;
    const reply = await answer(
      {
        method,
        path: new URL(url, "http://endpoint").pathname,
        authorization: request.headers.authorization,
        idempotencyKey: key === undefined ? undefined : String(key),
        body: await readText(request),
      },
      () => faultReply(now),
    );
    if (now?.kind === "lose-reply") {
      response.socket?.resetAndDestroy();
      return;
    }
    const headers = { "content-type": "application/json", ...reply.headers };
    response.writeHead(reply.status, headers).end(JSON.stringify(reply.body));
  }

  return {
    ...(await listenLocally(server)),
    apiKey,
    mailbox,
    requests: () => requests,
    fail: faults.fail,
  };
}

async function faultReply(fault: MailFault | null): Promise<ResendReply | undefined> {
  switch (fault?.kind) {
    case "latency":
      await sleep(fault.ms);
      return undefined;
    case "error":
      return resendError(fault.status, "application_error", "An unexpected error occurred.");
    case "rate-limit": {
      const reply = resendError(429, "rate_limit_exceeded", "Too many requests.");
      return { ...reply, headers: { "retry-after": String(fault.retryAfterSeconds) } };
    }
    default:
      return undefined;
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
