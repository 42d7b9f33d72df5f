import { runProgram } from "./program.js";

export interface LoadRequest {
  url: string;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  /** Sent in turn; each connection begins with another one. */
  bodies?: string[];
  /** Instead of bodies: each connection refreshes a session of its own, every time with the latest token. */
  refreshTokens?: string[];
  expectedStatus: number;
  connections: number;
  seconds: number;
}

export interface LoadResult {
  replies: number;
  perSecond: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  failures: number;
}

/** Repeat one request over kept-alive connections for a while, from a process of its own. */
export async function load(request: LoadRequest): Promise<LoadResult> {
  const { hostname } = new URL(request.url);
  if (hostname !== "127.0.0.1")
    throw new Error(`Only this machine may be loaded, not ${hostname}.`);
  return runProgram<LoadResult>("load-program.ts", [JSON.stringify(request)]);
}
