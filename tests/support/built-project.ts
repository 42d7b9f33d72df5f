import type { TestProject } from "vitest/node";
import { buildOutput } from "../../dev/build/output.js";
import { buildSelfHosted } from "../../dev/build/self-hosted.js";
import { copyProject } from "./project-copy.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder of a built copy of the project, to start servers in. */
    builtProject: string;
  }
}

/** Build once; each test file starts its own processes from it. */
export default async function setup(project: TestProject): Promise<() => void> {
  const { root, remove } = copyProject();
  await Promise.all([buildOutput(root), buildSelfHosted(root)]);
  project.provide("builtProject", root);
  return remove;
}
