import { writeFileSync } from "node:fs";
import { generatedPages } from "./docs/generated-pages.js";

for (const [path, text] of Object.entries(await generatedPages())) {
  writeFileSync(path, text);
  console.log(`Wrote ${path}.`);
}
