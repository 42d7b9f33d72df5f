import type { ChildProcess } from "node:child_process";
import process from "node:process";

/** Whatever ends this process, except SIGKILL, also ends the child. */
export function endWithThisProcess(child: ChildProcess): void {
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
}
