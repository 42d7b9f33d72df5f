import { readdirSync, readFileSync } from "node:fs";
import { headOf } from "../../lib/db/migrations/files.js";
import { costTables } from "../cost/cost-tables.js";
import { alertFile, alertmanagerFile } from "../prometheus/alert-file.js";
import { dashboardFile } from "../prometheus/dashboard.js";
import { alertsPage } from "./alerts-page.js";
import { declaredRoutes } from "./declared-routes.js";
import { openApiPages } from "./openapi/pages.js";

/** The texts of the generated pages by path. */
export async function generatedPages(): Promise<Record<string, string>> {
  return {
    "docs/alerts.md": alertsPage(),
    "docs/prometheus/alerts.yml": alertFile(),
    "docs/prometheus/alertmanager.yml": alertmanagerFile(),
    "docs/prometheus/dashboard.json": dashboardFile(),
    "lib/operations/declared-routes.json": await declaredRoutes(),
    "lib/db/migration-head.ts": migrationHead(),
    "docs/cost.md": withTables("docs/cost.md", costTables()),
    ...(await openApiPages()),
  };
}

function migrationHead(): string {
  const names = readdirSync("drizzle").flatMap(
    (file) => /^(\d{4}_.*)(?<!\.down)\.sql$/.exec(file)?.[1] ?? [],
  );
  return headOf(names.toSorted().at(-1) ?? "");
}

/** Replace the text between `<!-- name -->` and `<!-- /name -->`. */
function withTables(path: string, tables: Record<string, string>): string {
  let text = readFileSync(path, "utf8");
  for (const [name, table] of Object.entries(tables)) {
    const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
    const [before, rest] = [text.split(begin)[0], text.split(end)[1]];
    if (rest === undefined || before === text) throw new Error(`${path} has no place for ${name}.`);
    text = `${before}${begin}\n${table}\n\n${end}${rest}`;
  }
  return text;
}
