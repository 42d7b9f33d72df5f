import { randomBytes } from "node:crypto";
import process from "node:process";
import { startToolkitEndpoint } from "./toolkit-endpoint.js";

export interface OpenToolkit {
  /** Where calls of the toolkit go, for people. */
  description: string;
  close(): Promise<void>;
}

/**
 * Point the toolkit's calls at a stand-in of this process, unless the environment names a key of the
 * real one. To be called before the environment is read.
 */
export async function openToolkit(): Promise<OpenToolkit> {
  if (process.env.TOOLKIT_API_KEY?.trim()) {
    return { description: "TOOLKIT_API_KEY asks the real one", close: async () => {} };
  }
  const endpoint = await startToolkitEndpoint(`tk_${randomBytes(16).toString("hex")}`);
  process.env.EXPO_PUBLIC_TOOLKIT_URL = endpoint.url;
  process.env.TOOLKIT_API_KEY = endpoint.apiKey;
  return {
    description: `a stand-in on ${endpoint.url}: it knows no language`,
    close: endpoint.close,
  };
}
