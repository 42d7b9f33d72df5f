import { createHmac, randomUUID } from "node:crypto";

export const vercelSecret = "the-vercel-webhook-secret-of-the-tests";
export const projectId = "prj_own";

export interface VercelEventInput {
  type: string;
  createdAt: number | string;
  id?: string;
  deployment?: string;
  sha?: string;
  message?: string;
  target?: string | null;
  project?: string;
  user?: string;
  from?: string;
  to?: string;
}

/** An event as Vercel sends it. */
export function vercelEvent(input: VercelEventInput) {
  const {
    type,
    createdAt,
    id = `uev_${randomUUID()}`,
    project = projectId,
    user = "usr_ada",
  } = input;
  const shared = {
    team: { id: "team_own" },
    user: { id: user },
    project: { id: project },
    links: { deployment: "https://vercel.com/a", project: "https://vercel.com/b" },
    plan: "pro",
    regions: ["fra1"],
  };
  const {
    deployment,
    sha = `sha-of-${deployment}`,
    message = `Change ${deployment}`,
    target = "production",
  } = input;
  const payload =
    type === "deployment.rollback"
      ? { ...shared, fromDeploymentId: input.from, toDeploymentId: input.to }
      : {
          ...shared,
          target,
          deployment: {
            id: deployment,
            name: "linguamate",
            url: `${deployment}.vercel.app`,
            meta: {
              githubCommitSha: sha,
              githubCommitMessage: message,
              githubCommitAuthorName: "Ada Lovelace",
            },
          },
        };
  return { id, type, createdAt, region: null, payload };
}

/** The signature and body of a delivery. */
export function signedByVercel(event: unknown, secret = vercelSecret) {
  const body = typeof event === "string" ? event : JSON.stringify(event);
  const signature = createHmac("sha1", secret).update(body).digest("hex");
  return { body, headers: { "x-vercel-signature": signature } };
}
