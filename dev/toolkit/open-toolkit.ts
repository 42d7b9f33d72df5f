import { randomBytes } from "node:crypto";
import process from "node:process";
import { startToolkitEndpoint } from "./toolkit-endpoint.js";

export interface OpenToolkit {
  description: string;
  close(): Promise<void>;
}

/** Use a stand-in unless the environment has a key. Call this before the environment is read. */
export async function openToolkit(): Promise<OpenToolkit> {
  if (process.env.TOOLKIT_API_KEY?.trim()) {
    return { description: "the real service (TOOLKIT_API_KEY)", close: async () => {} };
  }
  const endpoint = await startToolkitEndpoint(`tk_${randomBytes(16).toString("hex")}`);
  process.env.EXPO_PUBLIC_TOOLKIT_URL = endpoint.url;
  process.env.TOOLKIT_API_KEY = endpoint.apiKey;
  return {
    description: `a stand-in on ${endpoint.url} with fixed answers`,
    close: endpoint.close,
  };
}
