import { randomBytes } from "node:crypto";
import * as z from "zod";
import type { BackupKeys } from "./backup-keys.js";
import { collect, once } from "./digest.js";
import { BackupRefusedError } from "./failures.js";
import type { BackupStore } from "./store/backup-store.js";

export interface Erasure {
  accountId: string;
  erasedAt: Date;
}

/** Who was erased, beside the backups, so that a restored database can forget them again. */
export interface ErasureLog {
  /** Adds; nothing is ever changed. After an error the entries may be there, and can be added again. */
  append(entries: readonly Erasure[]): Promise<void>;
  /** In any order, some possibly twice. Throws `BackupRefusedError` when any part was altered or has another key. */
  read(): AsyncIterable<Erasure>;
}

const Part = z.strictObject({
  /** Of the object itself, so that parts cannot be swapped. */
  name: z.string(),
  erasures: z.array(z.strictObject({ accountId: z.string(), erasedAt: z.iso.datetime() })),
});

export function erasureLog(store: BackupStore, keys: BackupKeys): ErasureLog {
  return {
    async append(entries) {
      if (entries.length === 0) return;
      const name = `erasures/${Date.now()}-${randomBytes(8).toString("hex")}.age`;
      const erasures = entries.map(({ accountId, erasedAt }) => ({
        accountId,
        erasedAt: erasedAt.toISOString(),
      }));
      await store.put(name, keys.encrypt(once(JSON.stringify({ name, erasures }))));
    },
    async *read() {
      for (const { name } of await store.list("erasures/")) {
        const text = (await collect(keys.decrypt(store.get(name)))).toString("utf8");
        const part = Part.parse(JSON.parse(text));
        if (part.name !== name) throw new BackupRefusedError(`${name} is another part.`);
        for (const { accountId, erasedAt } of part.erasures) {
          yield { accountId, erasedAt: new Date(erasedAt) };
        }
      }
    },
  };
}
