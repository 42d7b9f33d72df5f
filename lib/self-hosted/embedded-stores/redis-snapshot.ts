import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { RedisServerState } from "js-redis-server/core";
import { decodeSnapshot, encodeSnapshot, type RedisEntry } from "./redis-snapshot-format.js";

export interface RedisSnapshot {
  wasClean: boolean;
  close(): Promise<void>;
}

interface Contents {
  wasClosed: boolean;
  databases: RedisEntry[][];
}

const debounceMs = 200;

/** Load the file and keep it up to date. Written to a temporary file and renamed, so it is always complete. */
export async function openRedisSnapshot(
  state: RedisServerState,
  file: string,
): Promise<RedisSnapshot> {
  await mkdir(dirname(file), { recursive: true });
  const { wasClosed, databases } = await read(file);
  load(state, databases);

  let timer: NodeJS.Timeout | undefined;
  let isStale = false;
  let saving = save(false);

  function save(wasClosed: boolean): Promise<void> {
    return write(file, {
      wasClosed,
      databases: state.databases.map((database) => database.entriesSnapshot()),
    });
  }

  function schedule(): void {
    isStale = true;
    timer ??= setTimeout(saveNow, debounceMs);
  }

  function saveNow(): void {
    isStale = false;
    saving = save(false)
      .catch((error) => console.error(`Could not save the embedded Redis to ${file}: ${error}`))
      .finally(() => {
        timer = undefined;
        if (isStale) schedule();
      });
  }

  await saving;
  const unsubscribe = state.databases.map((database) => database.subscribe(schedule));
  return {
    wasClean: wasClosed,
    async close() {
      for (const stop of unsubscribe) stop();
      await saving;
      clearTimeout(timer);
      await save(true);
    },
  };
}

async function read(file: string): Promise<Contents> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return { wasClosed: true, databases: [] };
  try {
    return decodeSnapshot(text) as Contents;
  } catch (error) {
    await rename(file, `${file}.unreadable`);
    console.error(`${file} is unreadable and was renamed to ${file}.unreadable: ${error}`);
    return { wasClosed: false, databases: [] };
  }
}

async function write(file: string, contents: Contents): Promise<void> {
  const unfinished = `${file}.unfinished`;
  await writeFile(unfinished, encodeSnapshot(contents), { flush: true });
  await rename(unfinished, file);
}

function load(state: RedisServerState, databases: RedisEntry[][]): void {
  const now = Date.now();
  for (const [id, entries] of databases.entries()) {
    for (const { key, value, expiresAt } of entries) {
      if (expiresAt === undefined) state.getDatabase(id).set(key, value);
      else if (expiresAt > now) state.getDatabase(id).set(key, value, { expiresAt });
    }
  }
}
