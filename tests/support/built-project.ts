import type { TestProject } from "vitest/node";
import type { FunctionOutput } from "../../dev/build/function-output.js";
import { buildOutput } from "../../dev/build/output.js";
import { buildSelfHosted } from "../../dev/build/self-hosted.js";
import { copyProject } from "./project-copy.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder of a built copy of the project, to start servers in. */
    builtProject: string;
    builtFunctions: FunctionOutput[];
  }
}

/** Build once; each test file starts its own processes from it. */
export default async function setup(project: TestProject): Promise<() => void> {
  const { root, remove } = copyProject();
  const [{ functions }] = await Promise.all([buildOutput(root), buildSelfHosted(root)]);
  project.provide("builtProject", root);
  project.provide("builtFunctions", functions);
  return remove;
}
