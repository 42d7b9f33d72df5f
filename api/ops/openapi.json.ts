import * as z from "zod";
import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";

const GET = operatorRead({
  summary: "This document: the operators' routes, as OpenAPI 3.1.",
  scope: "openapi",
  breakGlass: true,
  reply: z.record(z.string(), z.unknown()),
  async read() {
    const { default: document } = await import(
      // biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
      "../../docs/openapi-operators.json",
      { with: { type: "json" } }
    );
    return document;
  },
});

export default route("/api/ops/openapi.json", { GET });
