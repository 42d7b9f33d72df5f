import { errorFields, log } from "../logger.js";

export function deploymentUnrecorded(correlationId: string, error: unknown): void {
  log(
    "WARN",
    { evt: "deployment_unrecorded", cat: "deployments", correlationId, data: errorFields(error) },
    "The release could not be recorded, a later request tries again",
  );
}
