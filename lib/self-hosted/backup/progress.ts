import process from "node:process";
import { Presets, SingleBar } from "cli-progress";

export interface Progress {
  onBytes(bytes: number): void;
  stop(): void;
}

/** Progress is drawn only in a terminal, on stderr. */
export const isShown = () => process.stderr.isTTY === true;

/** A bar with rate and remaining time; without a total the bytes and the rate. */
export function showProgress(
  label: string,
  totalBytes?: number,
  { isEstimate = false } = {},
): Progress {
  if (!isShown()) return { onBytes() {}, stop() {} };
  const startedMs = performance.now();
  const about = isEstimate ? "about " : "";
  const amount =
    totalBytes === undefined
      ? "{amount}"
      : `{bar} ${about}{percentage} %  {amount}  {eta_formatted} left`;
  const bar = new SingleBar(
    {
      format: `${label}  ${amount}  {rate}/s`,
      barsize: 20,
      hideCursor: true,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  const shown = (bytes: number) => ({
    amount: size(bytes),
    rate: size(bytes / Math.max(0.001, (performance.now() - startedMs) / 1000)),
  });
  bar.start(totalBytes ?? 0, 0, shown(0));
  return {
    onBytes: (bytes) => bar.update(bytes, shown(bytes)),
    stop: () => bar.stop(),
  };
}

export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(bytes || 1) / 3)));
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power > 0 && value < 100 ? 1 : 0)} ${units[power]}`;
}
