import type { OperatorAct } from "../audit/audit.js";

export interface Act {
  by: OperatorAct;
  /** Changes nothing, and says what would change. */
  dryRun: boolean;
}

export interface ChangeOutcome {
  /** A sentence about the change; in a dry run, about the change that would be made. */
  done: string;
  /** The command that undoes it; null when nothing can. */
  undo: string | null;
  detail?: Record<string, unknown>;
}
