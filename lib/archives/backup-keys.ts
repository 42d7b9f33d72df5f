import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { BackupRefusedError } from "./failures.js";

/** The first key encrypts and authenticates; all of them decrypt and verify. */
export interface BackupKeys {
  /** Of the first key. */
  id: string;
  knows(id: string): boolean;
  encrypt(plain: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
  /**
   * Throws `BackupRefusedError` for an unknown key, and for altered or truncated data, in the latter case after it has
   * yielded the part before it.
   */
  decrypt(encrypted: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
  /** HMAC-SHA256 with the first key, in hexadecimal. */
  sign(text: string): string;
  verify(text: string, signature: string, id: string): boolean;
}

/** As `age-keygen` makes it. */
export function generateBackupKey(): Promise<string> {
  return generateX25519Identity();
}

/** Archives are files in the age format, so `age --decrypt` reads them too. Throws for a key with a wrong checksum. */
export async function openBackupKeys(keys: readonly string[]): Promise<BackupKeys> {
  const derived = keys.map((identity) => ({
    identity,
    id: Buffer.from(hkdfSync("sha256", identity, "", "backup key id", 6)).toString("hex"),
    macKey: Buffer.from(hkdfSync("sha256", identity, "", "backup manifest", 32)),
  }));
  const [current] = derived;
  if (!current) throw new Error("No backup key is given.");
  const recipient = await identityToRecipient(current.identity);
  const mac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  return {
    id: current.id,
    knows: (id) => derived.some((key) => key.id === id),
    async *encrypt(plain) {
      const encrypter = new Encrypter();
      encrypter.addRecipient(recipient);
      yield* await encrypter.encrypt(streamOf(plain));
    },
    async *decrypt(encrypted) {
      const decrypter = new Decrypter();
      for (const { identity } of derived) decrypter.addIdentity(identity);
      const source = failuresApart(encrypted);
      try {
        yield* await decrypter.decrypt(streamOf(source.bytes));
      } catch (error) {
        throw source.failure() ?? refusal(error);
      }
    },
    sign: (text) => mac(current.macKey, text).toString("hex"),
    verify(text, signature, id) {
      const key = derived.find((candidate) => candidate.id === id);
      const given = Buffer.from(signature, "hex");
      return (
        key !== undefined && given.length === 32 && timingSafeEqual(given, mac(key.macKey, text))
      );
    },
  };
}

function refusal(error: unknown): BackupRefusedError {
  const reason = error instanceof Error ? error.message : String(error);
  return /identit/.test(reason)
    ? new BackupRefusedError("The backup is encrypted with another key than BACKUP_KEY.", {
        cause: error,
      })
    : new BackupRefusedError(`The backup is altered or truncated: ${reason}.`, { cause: error });
}

function streamOf(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  // The global type has no `from`.
  const { from } = ReadableStream as unknown as {
    from(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array>;
  };
  return from.call(ReadableStream, bytes);
}

/** So that a store that fails is not reported as altered data. */
function failuresApart(source: AsyncIterable<Uint8Array>) {
  let failure: unknown;
  async function* bytes() {
    try {
      yield* source;
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  return { bytes: bytes(), failure: () => failure };
}
