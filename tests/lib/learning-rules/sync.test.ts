import { describe, expect, it } from "vitest";
import {
  type DependencyIds,
  dependenciesOf,
  emptySyncState,
  type SyncOp,
  type SyncState,
  syncResults,
} from "../../support/learning-rules/sync.js";

const now = Date.parse("2026-05-10T12:00:00Z");
const dayMs = 86_400_000;
const account = { userId: "me", mergedUserIds: ["guest"] };

const op = (
  id: string,
  kind: string,
  ids: DependencyIds = {},
  more: Partial<SyncOp> = {},
): SyncOp => ({
  id,
  userId: "me",
  kind,
  occurredAtMs: now - 60_000,
  body: ids,
  ...dependenciesOf(kind, ids),
  domain: "ok",
  ...more,
});

const send = (state: SyncState, ops: SyncOp[], receivedAtMs = now) => {
  const reply = syncResults(account, state, { sentAtMs: receivedAtMs, receivedAtMs, ops });
  const lines = reply.results.map(({ id, status, code }) => [id, status, code].join(" ").trim());
  return { lines, state: reply.state };
};

const started = op("1", "attempt.start", { attemptId: "x" });
const answered = op("2", "attempt.answer", { attemptId: "x", answerId: "y" });
const completed = op("3", "attempt.complete", { attemptId: "x", newCardIds: ["c"] });
const reviewed = op("4", "review.answer", { cardId: "c", reviewId: "r" });
const undone = op("5", "review.undo", { cardId: "c", reviewId: "r" });
const chain = [started, answered, completed, reviewed, undone];

describe("POST /api/sync", () => {
  it("applies a chain in the order of the array", () => {
    expect(send(emptySyncState, chain).lines).toEqual([
      "1 applied",
      "2 applied",
      "3 applied",
      "4 applied",
      "5 applied",
    ]);
  });

  it("answers a repeat as duplicate and another body as idempotency_mismatch", () => {
    const { state } = send(emptySyncState, chain);
    const other = { ...answered, body: { attemptId: "x", answerId: "z" } };
    const reordered = { ...answered, body: { answerId: "y", attemptId: "x" } };
    expect(send(state, [started, other, answered, reordered]).lines).toEqual([
      "1 duplicate",
      "2 rejected idempotency_mismatch",
      "2 duplicate",
      "2 duplicate",
    ]);
    expect(send(emptySyncState, [started, started]).lines).toEqual(["1 applied", "1 duplicate"]);
  });

  it("forgets results after 180 days", () => {
    const { state } = send(emptySyncState, [started]);
    expect(send(state, [started], now + 180 * dayMs).lines).toEqual(["1 duplicate"]);
    expect(send(state, [started], now + 180 * dayMs + 1).lines).toEqual(["1 applied"]);
  });

  it("defers what comes before its dependency and applies it when sent again", () => {
    const first = send(emptySyncState, [answered, started]);
    expect(first.lines).toEqual(["2 deferred dependency_missing", "1 applied"]);
    expect(send(first.state, [answered]).lines).toEqual(["2 applied"]);
  });

  it("holds later answers behind a deferred one, so that tries keep their order", () => {
    const busy = { ...answered, domain: { deferredWith: "temporary" } };
    const second = op("7", "attempt.answer", { attemptId: "x", answerId: "z" });
    const elsewhere = op("8", "attempt.start", { attemptId: "other" });
    expect(send(emptySyncState, [started, busy, second, elsewhere]).lines).toEqual([
      "1 applied",
      "2 deferred temporary",
      "7 deferred dependency_missing",
      "8 applied",
    ]);
  });

  it("rejects a missing dependency after 30 days by corrected time", () => {
    const old = { ...answered, occurredAtMs: now - 30 * dayMs };
    expect(send(emptySyncState, [old]).lines).toEqual(["2 deferred dependency_missing"]);
    const older = { ...answered, occurredAtMs: now - 30 * dayMs - 1 };
    const reply = send(emptySyncState, [older]);
    expect(reply.lines).toEqual(["2 rejected dependency_missing"]);
    expect(send(reply.state, [started, older]).lines).toEqual([
      "1 applied",
      "2 rejected dependency_missing",
    ]);
  });

  it("rejects the whole chain behind a rejected op", () => {
    const refused = { ...started, domain: { rejectedWith: "lesson_locked" } };
    const reply = send(emptySyncState, [refused, answered, completed]);
    expect(reply.lines).toEqual([
      "1 rejected lesson_locked",
      "2 rejected dependency_rejected",
      "3 rejected dependency_rejected",
    ]);
    expect(send(reply.state, [refused, reviewed]).lines).toEqual([
      "1 rejected lesson_locked",
      "4 rejected dependency_rejected",
    ]);
  });

  it("applies what depends on a resource that another op made", () => {
    const refused = { ...completed, domain: { rejectedWith: "attempt_incomplete" } };
    const own = op("6", "vocabulary.put", { newCardIds: ["c"] });
    expect(send(emptySyncState, [started, refused, own, reviewed]).lines).toEqual([
      "1 applied",
      "3 rejected attempt_incomplete",
      "6 applied",
      "4 applied",
    ]);
  });

  it("does not complete an attempt when one of its answers was deferred in the request", () => {
    const busy = { ...answered, domain: { deferredWith: "temporary" } };
    const reply = send(emptySyncState, [started, busy, completed, reviewed]);
    expect(reply.lines).toEqual([
      "1 applied",
      "2 deferred temporary",
      "3 deferred dependency_missing",
      "4 deferred dependency_missing",
    ]);
    expect(send(reply.state, [answered, completed, reviewed]).lines).toEqual([
      "2 applied",
      "3 applied",
      "4 applied",
    ]);
  });

  it("accepts a merged guest and rejects other accounts", () => {
    const ofGuest = { ...started, userId: "guest" };
    const ofOther = { ...answered, userId: "other" };
    expect(send(emptySyncState, [ofGuest, ofOther]).lines).toEqual([
      "1 applied",
      "2 rejected wrong_account",
    ]);
    const startOfOther = { ...started, userId: "other" };
    expect(send(emptySyncState, [startOfOther, answered]).lines).toEqual([
      "1 rejected wrong_account",
      "2 deferred dependency_missing",
    ]);
  });
});
