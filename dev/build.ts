import process from "node:process";
import { buildOutput } from "./build/output.js";
import { buildSelfHosted } from "./build/self-hosted.js";

const started = performance.now();
const root = process.cwd();
const [{ functions, missing, release }] = await Promise.all([
  buildOutput(root),
  buildSelfHosted(root),
]);

const largest = functions.reduce((a, b) => (b.bytes > a.bytes ? b : a));
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(`Built ${functions.length} functions into .vercel/output in ${seconds} s.`);
console.log(
  `Release ${release.sha}${release.committedAt ? `, committed ${release.committedAt}` : ""}.`,
);
if (release.sha === "unknown")
  console.warn("There is no git checkout: set GIT_COMMIT_SHA to name the release.");
console.log(`The largest is ${largest.file}: ${Math.ceil(largest.bytes / 1024)} KB.`);
for (const architecture of missing) {
  console.warn(`The binaries for ${architecture} are missing: this output runs only on x64.`);
}
