import type { Endpoint } from "./endpoint.js";

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type Method = (typeof methods)[number];
export type Endpoints = Partial<Record<Method, Endpoint>>;

export interface Resource {
  /** The URL's path, such as `/api/user/sessions/:sessionId`. */
  readonly template: string;
  readonly endpoints: Endpoints;
}

export function isMethod(method: string): method is Method {
  return methods.some((known) => known === method);
}
