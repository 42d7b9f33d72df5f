import type { Env } from "../env.js";

/** The ID of the deployment that this process belongs to. On Vercel two deployments can have one SHA. */
export function ownDeploymentId({ deployment, release }: Env): string {
  return deployment.id ?? `${deployment.platform}:${release.sha}`;
}

/** Only a release in production, and not a source tree or a build of an unknown commit. */
export function isRecorded({ jwt, release }: Env): boolean {
  return jwt.environment === "production" && !["development", "unknown"].includes(release.sha);
}
