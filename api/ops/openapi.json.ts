import * as z from "zod";
// biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
import document from "../../docs/openapi-operators.json" with { type: "json" };
import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";

const GET = operatorRead({
  summary: "This document: the operators' routes, as OpenAPI 3.1.",
  scope: "openapi",
  breakGlass: true,
  reply: z.record(z.string(), z.unknown()),
  read: async () => document,
});

export default route("/api/ops/openapi.json", { GET });
