import { writeFileSync } from "node:fs";
import { generatedPages } from "./docs/generated-pages.js";

/** Write the pages of docs/ that are made from tables in the code: `npm run docs:write`. */
for (const [path, text] of Object.entries(await generatedPages())) {
  writeFileSync(path, text);
  console.log(`Wrote ${path}.`);
}
