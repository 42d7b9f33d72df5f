import packageJson from "../package.js" with { type: "json" };

/** The version of this code, as package.json states it. */
export const version: string = packageJson.version;
