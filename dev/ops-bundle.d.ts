export function bundleOps(outfile: string, before?: string): Promise<void>;
