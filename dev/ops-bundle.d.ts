export function bundleOps(outfile: string, before?: string): Promise<void>;
export function isCurrent(outfile: string): boolean;
