import { Column, is, SQL, sql } from "drizzle-orm";
import { PgDialect, PgDoublePrecision } from "drizzle-orm/pg-core";

type Field = { path: string[]; field: unknown };
type BuildSelection = (fields: Field[], options?: object) => SQL;

/** Changes `db`: its selections must not depend on DateStyle, TimeZone or extra_float_digits (docs/decisions/025). */
export function withStableFormats<Db extends object>(db: Db): Db {
  const { dialect } = db as unknown as { dialect: { buildSelection: BuildSelection } };
  dialect.buildSelection = (fields, options) =>
    buildSelection.call(dialect, fields.map(withFixedForm), options);
  return db;
}

const { buildSelection } = PgDialect.prototype as unknown as { buildSelection: BuildSelection };

function withFixedForm({ path, field }: Field): Field {
  const decoder = decoderOf(field);
  const fixedForm = is(decoder, Column) ? fixedFormOf(decoder) : undefined;
  if (!fixedForm) return { path, field };
  const selected = field as Column | SQL;
  // An enclosing query refers to the column by its name.
  return {
    path,
    field: is(selected, Column) ? fixedForm(selected).as(selected.name) : fixedForm(selected),
  };
}

function decoderOf(field: unknown): unknown {
  return is(field, SQL) ? (field as SQL & { decoder: unknown }).decoder : field;
}

function fixedFormOf(column: Column): ((value: Column | SQL) => SQL) | undefined {
  if (column.getSQLType() === timestampType) return (value) => sql`extract(epoch from ${value})`;
  if (is(column, PgDoublePrecision)) return (value) => sql`cast(${value} as numeric)`;
  return undefined;
}

const timestampType = "timestamp with time zone";
