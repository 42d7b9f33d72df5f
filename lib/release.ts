// biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
import packageJson from "../package.json" with { type: "json" };

/** The version of this code, as package.json states it. */
export const version: string = packageJson.version;
