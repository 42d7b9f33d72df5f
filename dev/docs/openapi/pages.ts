import { openApiDocument } from "./document.js";
import { isOperators, operationsOfApi } from "./routes.js";

const problems =
  "Errors are problem+json (RFC 9457) with a stable `code`. Each route also answers OPTIONS, and HEAD where it has GET; any other method gets 405 `method_not_allowed`. Unknown and repeated parameters of a query are a 422, like unknown fields; a route without parameters ignores the query.";

/** docs/openapi.json and docs/openapi-operators.json, which the functions of the same names serve. */
export async function openApiPages(): Promise<Record<string, string>> {
  const operations = await operationsOfApi();
  const app = openApiDocument(
    "Linguamate API",
    `The routes of the app, the clock, webhooks and monitoring. ${problems}`,
    operations.filter((operation) => !isOperators(operation)),
  );
  const operators = openApiDocument(
    "Linguamate operators' API",
    `The routes behind \`npm run ops\`. ${problems}`,
    operations.filter(isOperators),
  );
  return { "docs/openapi.json": text(app), "docs/openapi-operators.json": text(operators) };
}

const text = (document: object) => `${JSON.stringify(document, null, 2)}\n`;
