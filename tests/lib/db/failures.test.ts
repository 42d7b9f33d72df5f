import { NeonDbError } from "@neondatabase/serverless";
import { describe, expect, it } from "vitest";
import { isDatabaseUnavailable } from "../../../lib/db/failures.js";

/** An error of Postgres; `FATAL` ends or refuses the connection, `ERROR` only the statement. */
const refused = (code: string, severity: string) =>
  Object.assign(new NeonDbError("refused"), { code, severity });

/** Source: PostgreSQL, appendix A, error codes. */
describe("an error of Postgres", () => {
  it.each([
    ["55000", "FATAL", "the database does not accept connections"],
    ["0A000", "FATAL", "unsupported frontend protocol"],
    ["22023", "FATAL", "an unknown startup parameter"],
    ["42501", "FATAL", "no permission to connect"],
    ["XX000", "FATAL", "a pooler without this tenant"],
    ["25P03", "FATAL", "idle in a transaction for too long"],
    ["57P05", "FATAL", "idle session timeout"],
    ["57P01", "FATAL", "the server shuts down"],
    ["08P01", "FATAL", "a pooler without free connections"],
    ["58P01", "FATAL", "a missing file"],
    ["53300", "FATAL", "too many connections"],
    ["28P01", "FATAL", "a wrong password"],
    ["3D000", "FATAL", "an unknown database"],
    ["00000", "PANIC", "the server crashes"],
    ["08006", "ERROR", "a broken connection"],
    ["25006", "ERROR", "read-only"],
    ["53100", "ERROR", "a full disk"],
    ["57014", "ERROR", "a statement timeout"],
    ["58030", "ERROR", "an I/O error"],
    ["55P03", "ERROR", "a lock timeout"],
    ["40001", "ERROR", "a serialization failure"],
    ["40P01", "ERROR", "a deadlock"],
  ])("%s %s is temporary: %s", (code, severity) => {
    expect(isDatabaseUnavailable(refused(code, severity))).toBe(true);
    const wrapped = new Error("Failed query", { cause: refused(code, severity) });
    expect(isDatabaseUnavailable(wrapped)).toBe(true);
  });

  it.each([
    ["55000", "ERROR", "an object in another state"],
    ["55006", "ERROR", "an object in use"],
    ["0A000", "ERROR", "an unsupported feature"],
    ["22P02", "ERROR", "an invalid value"],
    ["23505", "ERROR", "a duplicate key"],
    ["42P01", "ERROR", "an unknown table"],
    ["42501", "ERROR", "no permission for a table"],
    ["26000", "ERROR", "an unknown prepared statement"],
    ["XX000", "ERROR", "an internal error"],
  ])("%s %s is a fault of ours: %s", (code, severity) => {
    expect(isDatabaseUnavailable(refused(code, severity))).toBe(false);
  });

  it("without a code is an error of Neon's endpoint, and temporary", () => {
    expect(isDatabaseUnavailable(new NeonDbError("The endpoint is disabled."))).toBe(true);
    expect(isDatabaseUnavailable(new TypeError("a mistake"))).toBe(false);
  });
});
