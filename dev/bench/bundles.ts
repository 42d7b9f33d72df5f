import { median, sum } from "simple-statistics";
import type { FunctionOutput } from "../build/function-output.js";

/** In KB, of all functions. */
export interface BundleSizes {
  /** The entry and all chunks that are deployed with it. */
  medianKb: number;
  largestKb: number;
  largestFunction: string;
  /** What is loaded before the first reply. */
  medianLoadedKb: number;
  medianFunction: string;
  /** The npm packages in the median function, largest first. */
  medianByPackageKb: Record<string, number>;
}

const packagesShown = 10;

export function bundleSizes(functions: readonly FunctionOutput[]): BundleSizes {
  const sizes = functions
    .map(({ file, bytesByPackage }) => ({
      file,
      kb: sum(Object.values(bytesByPackage)) / 1024,
      bytesByPackage,
    }))
    .toSorted((a, b) => a.kb - b.kb);
  const middle = sizes[Math.floor((sizes.length - 1) / 2)];
  const largest = sizes.at(-1);
  if (!middle || !largest) throw new Error("No function was built.");
  const packages = Object.entries(middle.bytesByPackage)
    .map(([name, bytes]): [string, number] => [name, bytes / 1024])
    .toSorted(([, a], [, b]) => b - a);
  const others = packages.splice(packagesShown).map(([, kb]) => kb);
  if (others.length > 0) packages.push([`${others.length} others`, sum(others)]);
  return {
    medianKb: middle.kb,
    largestKb: largest.kb,
    largestFunction: largest.file,
    medianLoadedKb: median(functions.map(({ bytes }) => bytes / 1024)),
    medianFunction: middle.file,
    medianByPackageKb: Object.fromEntries(packages),
  };
}
