/** A backup or a restore did not succeed; the message says why. Exit status 1. */
export class BackupError extends Error {
  override readonly name: string = "BackupError";
}

/** Refused: the target is unchanged. Exit status 3. */
export class BackupRefusedError extends BackupError {
  override readonly name = "BackupRefusedError";
}

/** Such an object is not in the store. */
export class ObjectMissingError extends BackupError {
  override readonly name = "ObjectMissingError";
}
