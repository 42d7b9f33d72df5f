import process from "node:process";
import type { NeonQueryFunction } from "@neondatabase/serverless";
import { EnvironmentError } from "../lib/env.js";
import { connectForMigrations } from "../lib/self-hosted/migration-connection.js";
import { attachFromSource } from "./stores/attach-stores.js";

export interface CommandConnection {
  sql: NeonQueryFunction<false, false>;
  close(): Promise<void>;
}

/** Connect a command to DATABASE_URL, or else to the embedded Postgres. It needs no other variable. */
export async function connectForCommand(): Promise<CommandConnection> {
  const { DATABASE_URL: connectionString, NODE_ENV, EMBEDDED_STORES } = process.env;
  if (connectionString) return connectForMigrations({ connectionString });
  if (NODE_ENV === "production" && EMBEDDED_STORES !== "true") {
    throw new EnvironmentError("DATABASE_URL is required in production");
  }
  const stores = await attachFromSource();
  const { sql, close } = connectForMigrations(stores.postgres);
  return {
    sql,
    async close() {
      await close();
      stores.detach();
    },
  };
}
