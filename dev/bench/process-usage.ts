import { readFileSync } from "node:fs";

export interface ProcessUsage {
  /** User and system time of all threads since the process started. */
  cpuMs: number;
  peakRssBytes: number;
}

/** Linux' unit of time in /proc, whatever the kernel's own is. */
const tickMs = 10;

/**
 * What a process has used so far, as the kernel counts it, without its help: CPU time in steps of 10 ms.
 * Undefined where there is no /proc.
 */
export function readUsage(pid: number): ProcessUsage | undefined {
  const stat = readProc(pid, "stat");
  const status = readProc(pid, "status");
  return stat === undefined || status === undefined
    ? undefined
    : { cpuMs: cpuMsOf(stat), peakRssBytes: peakRssBytesOf(status) };
}

/** `utime` and `stime` of /proc/<pid>/stat, whose second field is a name that may hold anything. */
export function cpuMsOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

export function peakRssBytesOf(status: string): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}
