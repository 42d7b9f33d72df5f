import { deletionCopyKind } from "../privacy/deletion-copy.js";
import { erasureKind } from "../privacy/erasure-kind.js";
import type { Kind } from "../queue/kind.js";

/** Jobs of other kinds are left to the release that knows them. */
export const jobKinds: readonly Kind[] = [erasureKind as Kind, deletionCopyKind as Kind];
