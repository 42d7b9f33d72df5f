import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { exportBroken } from "../observability/log-lines/privacy.js";
import { type PersonalTable, personalTables } from "./catalogue.js";
import { findPerson, type Person } from "./person.js";

/** Rows as in the tables of the database, with its column names. */
const Rows = z.array(z.record(z.string(), z.unknown()));

export const DataExport = z
  .strictObject({
    userId: z.uuid(),
    /** Rows written later are not in the document. A row that changed later is as it was when it was read. */
    asOf: z.iso.datetime(),
    ...Object.fromEntries(personalTables.map(({ section }) => [section, Rows])),
  })
  .meta({ id: "DataExport" });

const rowsPerPage = 500;

/**
 * All data about an account and the guests merged into it, as parts of a JSON text. One page of one table is in memory.
 * When it throws, the JSON is incomplete: `onFailure` has run then. After `return()` it reads no further page.
 * Throws `not_found`, and `service_unavailable` before the first part.
 */
export async function openExport(
  ctx: Context,
  userId: string,
  onFailure: () => Promise<unknown>,
): Promise<AsyncGenerator<string, void>> {
  const person = await findPerson(ctx, userId);
  if (!person) throw new AppError("not_found");
  return guarded(ctx, documentOf(ctx, person), onFailure);
}

async function* guarded(
  ctx: Context,
  parts: AsyncGenerator<string, void>,
  onFailure: () => Promise<unknown>,
): AsyncGenerator<string, void> {
  try {
    yield* parts;
  } catch (error) {
    exportBroken(ctx.correlationId, error);
    await onFailure().catch(() => {});
    throw error;
  }
}

async function* documentOf(ctx: Context, person: Person): AsyncGenerator<string, void> {
  const [userId = ""] = person.ids;
  const asOf = ctx.now.toISOString();
  yield `{"userId":${JSON.stringify(userId)},"asOf":${JSON.stringify(asOf)}`;
  for (const table of personalTables) {
    let separator = `,\n"${table.section}":[\n`;
    for (const rows of table.rows(person)) {
      for await (const page of pagesOf(ctx, table, person, rows)) {
        yield separator + page.join(",\n");
        separator = ",\n";
      }
    }
    yield separator === ",\n" ? "]" : `${separator}]`;
  }
  // Else the pages after its erasure are empty, and the document looks complete.
  if (!(await findPerson(ctx, userId))) throw new AppError("session_revoked");
  yield "}\n";
}

/** Each page is one statement, from a position that later writes do not move. */
async function* pagesOf(
  ctx: Context,
  table: PersonalTable,
  person: Person,
  rows: SQL,
): AsyncGenerator<string[], void> {
  const keys = sql.join(
    table.key.map(({ column }) => sql.identifier(column)),
    sql`, `,
  );
  const written = table.writtenAt
    ? sql`and ${sql.identifier(table.writtenAt)} <= ${timestamp(ctx.now)}`
    : sql``;
  let position: string[] | null = null;
  while (true) {
    const { rows: page }: { rows: { json: string; position: string }[] } = await ctx.db.execute(sql`
      select cast(${objectOf(table, person)} as text) as json,
        cast(json_build_array(${positionOf(table)}) as text) as position
      from ${sql.identifier(table.table)}
      where ${rows} ${written} ${after(table, position)}
      order by ${keys} limit ${sql.raw(String(rowsPerPage))}`);
    if (page.length > 0) yield page.map(({ json }) => json);
    if (page.length < rowsPerPage) return;
    position = JSON.parse(page.at(-1)?.position ?? "[]");
  }
}

function objectOf({ columns }: PersonalTable, person: Person): SQL {
  const fields = Object.entries(columns).flatMap(([name, kind]) => {
    if (kind === "technical" || (typeof kind === "object" && "withheld" in kind)) return [];
    const value = kind === "exported" ? sql.identifier(name) : kind.as(person);
    return [sql`${sql.raw(`'${name}'`)}, ${value}`];
  });
  return sql`json_build_object(${sql.join(fields, sql`, `)})`;
}

/** As text in the form of JSON, which no setting of the session changes. */
const positionOf = ({ key }: PersonalTable) =>
  sql.join(
    key.map(({ column }) => sql`to_json(${sql.identifier(column)}) #>> '{}'`),
    sql`, `,
  );

function after({ key }: PersonalTable, position: string[] | null): SQL {
  if (!position) return sql``;
  const columns = key.map(({ column }) => sql.identifier(column));
  const values = key.map(({ type }, at) => sql`cast(${position[at]} as ${sql.raw(type)})`);
  return sql`and (${sql.join(columns, sql`, `)}) > (${sql.join(values, sql`, `)})`;
}
