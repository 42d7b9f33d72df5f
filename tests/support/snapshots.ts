import { execFileSync } from "node:child_process";
import { mkdirSync, openAsBlob } from "node:fs";
import path from "node:path";
import { inject } from "vitest";

/** An embedded Postgres opens from one in a quarter of the time that making a new one takes. */
export function snapshot(of: "empty" | "migrated"): Promise<Blob> {
  return openAsBlob(snapshotFiles()[of]);
}

/** Put a migrated embedded Postgres into a folder of embedded stores. */
export function putEmbeddedPostgres(folder: string): void {
  const directory = path.join(folder, "postgres");
  mkdirSync(directory, { recursive: true });
  execFileSync("tar", ["-xf", snapshotFiles().migrated, "-C", directory], { stdio: "ignore" });
}

function snapshotFiles() {
  const { snapshots } = inject("migrated");
  if (!snapshots) throw new Error("This test needs the embedded Postgres.");
  return snapshots;
}
