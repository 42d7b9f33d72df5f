import { describe, expect, it } from "vitest";
import {
  type BoardLearner,
  boardMondayOf,
  boardOf,
  boardScore,
  finalAtMs,
  weekFirstMomentMs,
} from "../../support/learning-rules/board.js";
import type { ReceivedRow } from "../../support/learning-rules/xp.js";

const monday = "2026-05-04";
const utc = [{ zone: "UTC", effectiveFromMs: 0 }];
const at = (iso: string): number => Date.parse(iso);

const row = (xp: number, receivedAt: string, date = "2026-05-05"): ReceivedRow => ({
  kind: "chat",
  fact: `${xp} ${receivedAt}`,
  xp,
  date,
  receivedAtMs: at(receivedAt),
});

const learner = (member: string, rows: ReceivedRow[], isOptedOut = false): BoardLearner => ({
  member,
  isOptedOut,
  history: utc,
  rows,
});

describe("a week's board", () => {
  it("begins at UTC+14 and is final 48 h after its end at UTC−12", () => {
    expect(new Date(weekFirstMomentMs(monday)).toISOString()).toBe("2026-05-03T10:00:00.000Z");
    expect(new Date(finalAtMs(monday)).toISOString()).toBe("2026-05-13T12:00:00.000Z");
  });

  it("scores XP first, then the earlier receipt", () => {
    // 2^20 = 1 048 576. One minute after the first moment: 3 145 728 + 1 048 575 − 60.
    expect(boardScore(3, at("2026-05-03T10:01:00.999Z"), monday)).toBe(4_194_243);
    expect(boardScore(3, at("2026-05-13T12:00:00Z"), monday)).toBeGreaterThan(
      boardScore(2, at("2026-05-03T10:00:00Z"), monday),
    );
  });

  it("orders by XP, then by the receipt of the last XP, then by member descending", () => {
    const board = boardOf(
      [
        learner("z", [row(10, "2026-05-05T10:00:00Z"), row(20, "2026-05-05T12:00:00Z")]),
        learner("b", [row(30, "2026-05-05T11:00:00Z")]),
        learner("c", [
          row(40, "2026-05-06T11:00:00Z"),
          row(100, "2026-05-03T11:00:00Z", "2026-05-03"),
        ]),
        learner("d", [row(30, "2026-05-05T11:00:00.900Z"), row(0, "2026-05-06T00:00:00Z")]),
        learner("e", [row(50, "2026-05-05T11:00:00Z")], true),
        learner("f", []),
      ],
      "2026-05-10",
    );
    expect(board.map(({ member, xp }) => `${member} ${xp}`)).toEqual([
      "c 40",
      "d 30",
      "b 30",
      "z 30",
    ]);
    expect(board[1]?.score).toBe(board[2]?.score);
  });

  it("moves what comes after finalAt to the week of its receipt", () => {
    expect(boardMondayOf(row(1, "2026-05-13T12:00:00Z", "2026-05-10"), utc)).toBe(monday);
    expect(boardMondayOf(row(1, "2026-05-13T12:00:01Z", "2026-05-10"), utc)).toBe("2026-05-11");
  });
});
