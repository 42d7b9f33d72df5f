import { correctedInstantMs } from "./days.js";

export interface SyncOp {
  id: string;
  userId: string;
  kind: string;
  occurredAtMs: number;
  body: unknown;
  /** Resources that must exist, such as `attempt:…` or `card:…` (see `dependenciesOf`). */
  needs: readonly string[];
  /** Resources that exist after the op was applied. */
  makes: readonly string[];
  /** What the domain says when the op is alone and its dependencies exist. */
  domain: "ok" | { rejectedWith: string } | { deferredWith: string };
}

export interface SyncAccount {
  userId: string;
  /** "A `userId` that was merged into this account is this account". */
  mergedUserIds: readonly string[];
}

/** A final result that the server stored. */
interface StoredResult {
  opId: string;
  fingerprint: string;
  status: "applied" | "rejected";
  code: string | null;
  storedAtMs: number;
}

export interface SyncState {
  stored: readonly StoredResult[];
  /** Resources that exist, made by routes or earlier ops. */
  resources: readonly string[];
  /** Resources that a rejected op would have made. */
  rejectedResources: readonly string[];
}

export interface SyncResult {
  id: string;
  status: "applied" | "duplicate" | "rejected" | "deferred";
  code: string | null;
}

export const emptySyncState: SyncState = { stored: [], resources: [], rejectedResources: [] };

const dayMs = 86_400_000;
const storedForMs = 180 * dayMs;
const dependencyWaitMs = 30 * dayMs;

/**
 * The results of one request. "the array's order is the order"; "`applied`, `duplicate` and
 * `rejected` are final and stored (180 days)"; "`deferred` is not stored". Give the returned state
 * to the next request.
 */
export function syncResults(
  account: SyncAccount,
  state: SyncState,
  request: { sentAtMs: number; receivedAtMs: number; ops: readonly SyncOp[] },
): { results: SyncResult[]; state: SyncState } {
  let current = state;
  const results: SyncResult[] = [];
  const deferredAttempts = new Set<string>();
  for (const op of request.ops) {
    const result = resultOf(account, current, request, deferredAttempts, op);
    results.push(result);
    if (result.status === "deferred") {
      for (const attempt of attemptsOf(op)) deferredAttempts.add(attempt);
    }
    const wasStored = findStored(current, op.id, request.receivedAtMs) !== undefined;
    if (!wasStored) current = stateAfter(current, op, result, request.receivedAtMs);
  }
  return { results, state: current };
}

function resultOf(
  account: SyncAccount,
  state: SyncState,
  request: { sentAtMs: number; receivedAtMs: number },
  deferredAttempts: ReadonlySet<string>,
  op: SyncOp,
): SyncResult {
  const result = (status: SyncResult["status"], code: string | null = null): SyncResult => ({
    id: op.id,
    status,
    code,
  });

  // "others are rejected `wrong_account`"
  if (op.userId !== account.userId && !account.mergedUserIds.includes(op.userId)) {
    return result("rejected", "wrong_account");
  }

  // "`duplicate` (carries the first result)"; "The same id with another body".
  const first = findStored(state, op.id, request.receivedAtMs);
  if (first !== undefined) {
    if (first.fingerprint !== fingerprintOf(op)) return result("rejected", "idempotency_mismatch");
    return first.status === "applied" ? result("duplicate") : result("rejected", first.code);
  }

  const missing = op.needs.filter((resource) => !state.resources.includes(resource));
  // "What depends on a rejected op is `dependency_rejected`."
  if (missing.some((resource) => state.rejectedResources.includes(resource))) {
    return result("rejected", "dependency_rejected");
  }
  // "a dependency not seen yet (`dependency_missing`, rejected after 30 days)"
  // The order of the answers decides the first try, so they all wait for a deferred one.
  const waitsForAttempt = op.needs.some((resource) => deferredAttempts.has(resource));
  if (missing.length > 0 || waitsForAttempt) {
    const correctedMs = correctedInstantMs({
      occurredAtMs: op.occurredAtMs,
      sentAtMs: request.sentAtMs,
      receivedAtMs: request.receivedAtMs,
      notBeforeMs: Number.NEGATIVE_INFINITY,
    });
    const isTooOld = request.receivedAtMs - correctedMs > dependencyWaitMs;
    return result(isTooOld ? "rejected" : "deferred", "dependency_missing");
  }

  if (op.domain === "ok") return result("applied");
  if ("rejectedWith" in op.domain) return result("rejected", op.domain.rejectedWith);
  return result("deferred", op.domain.deferredWith);
}

function stateAfter(state: SyncState, op: SyncOp, result: SyncResult, nowMs: number): SyncState {
  if (result.status !== "applied" && result.status !== "rejected") return state;
  const { status, code } = result;
  const stored = [
    ...state.stored,
    { opId: op.id, fingerprint: fingerprintOf(op), status, code, storedAtMs: nowMs },
  ];
  if (status === "applied") {
    return { ...state, stored, resources: [...state.resources, ...op.makes] };
  }
  // An op of another account says nothing about this account's resources.
  const isOurs = code !== "wrong_account";
  const rejected = isOurs ? op.makes : [];
  return { ...state, stored, rejectedResources: [...state.rejectedResources, ...rejected] };
}

function findStored(state: SyncState, opId: string, nowMs: number): StoredResult | undefined {
  return state.stored.find((one) => one.opId === opId && nowMs - one.storedAtMs <= storedForMs);
}

function attemptsOf(op: SyncOp): string[] {
  return [...op.needs, ...op.makes].filter((resource) => resource.startsWith("attempt:"));
}

/** What "another body" compares: kind, time and body, with keys in any order. */
function fingerprintOf(op: Pick<SyncOp, "kind" | "occurredAtMs" | "body">): string {
  return canonicalJson([op.kind, op.occurredAtMs, op.body]);
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const members = entries.map(([key, one]) => `${JSON.stringify(key)}:${canonicalJson(one)}`);
  return `{${members.join(",")}}`;
}

/** The ids that an op's body may carry. */
export interface DependencyIds {
  attemptId?: string;
  answerId?: string;
  cardId?: string;
  reviewId?: string;
  /** Cards that the op creates: of the lesson's words, or of the learner's own word. */
  newCardIds?: readonly string[];
}

/** Which resources each kind of op needs and makes. */
export function dependenciesOf(
  kind: string,
  ids: DependencyIds,
): { needs: string[]; makes: string[] } {
  const attempt = `attempt:${ids.attemptId}`;
  const card = `card:${ids.cardId}`;
  const cards = (ids.newCardIds ?? []).map((id) => `card:${id}`);
  switch (kind) {
    case "attempt.start":
      return { needs: [], makes: [attempt] };
    case "attempt.answer":
      return { needs: [attempt], makes: [`answer:${ids.answerId}`] };
    case "attempt.complete":
      return { needs: [attempt], makes: cards };
    case "answer.report":
      return { needs: [attempt, `answer:${ids.answerId}`], makes: [] };
    case "vocabulary.put":
      return { needs: [], makes: cards };
    case "vocabulary.delete":
      return { needs: [card], makes: [] };
    case "review.answer":
      return { needs: [card], makes: [`review:${ids.reviewId}`] };
    case "review.undo":
      return { needs: [card, `review:${ids.reviewId}`], makes: [] };
    case "card.state":
    case "card.synonyms":
      return { needs: [card], makes: [] };
    case "preferences.put":
      return { needs: [], makes: [] };
    default:
      throw new Error(`Unknown kind of op: ${kind}`);
  }
}
