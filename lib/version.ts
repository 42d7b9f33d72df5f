// biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
import packageJson from "../package.json" with { type: "json" };

export const version: string = packageJson.version;
