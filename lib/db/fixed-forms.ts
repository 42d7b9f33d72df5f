import { Column, is, SQL, sql } from "drizzle-orm";
import { PgDialect, PgDoublePrecision } from "drizzle-orm/pg-core";

type Field = { path: string[]; field: unknown };
type BuildSelection = (fields: Field[], options?: object) => SQL;

/**
 * Have what drizzle selects come in a form that no setting of the role, the database or the session
 * changes: moments depend on DateStyle and TimeZone, floats on extra_float_digits. A setting of our own
 * would not do: through a pooler it reaches the connections of others, and not all of ours.
 */
export function withFixedForms<Db extends object>(db: Db): Db {
  const { dialect } = db as unknown as { dialect: { buildSelection: BuildSelection } };
  dialect.buildSelection = (fields, options) =>
    buildSelection.call(dialect, fields.map(inFixedForm), options);
  return db;
}

const { buildSelection } = PgDialect.prototype as unknown as { buildSelection: BuildSelection };

function inFixedForm({ path, field }: Field): Field {
  const decoder = decoderOf(field);
  const form = is(decoder, Column) ? formOf(decoder) : undefined;
  if (!form) return { path, field };
  const given = field as Column | SQL;
  // A statement around this one knows a column by its name.
  return { path, field: is(given, Column) ? form(given).as(given.name) : form(given) };
}

function decoderOf(field: unknown): unknown {
  return is(field, SQL) ? (field as SQL & { decoder: unknown }).decoder : field;
}

function formOf(column: Column): ((value: Column | SQL) => SQL) | undefined {
  if (column.getSQLType() === momentType) return (value) => sql`extract(epoch from ${value})`;
  if (is(column, PgDoublePrecision)) return (value) => sql`cast(${value} as numeric)`;
  return undefined;
}

const momentType = "timestamp with time zone";
