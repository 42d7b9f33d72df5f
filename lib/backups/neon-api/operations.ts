interface Operation {
  method: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  /** For the message of a failure. */
  about: string;
  /** A second call has no effect beyond that of the first. */
  mayBeRepeated: boolean;
}

const branch = "/projects/{project}/branches/{branch}";

/** The part of Neon's API that we call (https://api-docs.neon.tech). */
export const operations = {
  project: { method: "GET", path: "/projects/{project}", about: "project", mayBeRepeated: true },
  branch: { method: "GET", path: branch, about: "branch", mayBeRepeated: true },
  read_schedule: {
    method: "GET",
    path: `${branch}/backup_schedule`,
    about: "backup schedule",
    mayBeRepeated: true,
  },
  set_schedule: {
    method: "PUT",
    path: `${branch}/backup_schedule`,
    about: "backup schedule",
    mayBeRepeated: true,
  },
  snapshots: {
    method: "GET",
    path: "/projects/{project}/snapshots",
    about: "snapshots",
    mayBeRepeated: true,
  },
  take_snapshot: {
    method: "POST",
    path: `${branch}/snapshot`,
    about: "new snapshot",
    mayBeRepeated: false,
  },
  branches: {
    method: "GET",
    path: "/projects/{project}/branches",
    about: "branches",
    mayBeRepeated: true,
  },
  create_branch: {
    method: "POST",
    path: "/projects/{project}/branches",
    about: "new branch",
    mayBeRepeated: false,
  },
  endpoints: {
    method: "GET",
    path: "/projects/{project}/endpoints",
    about: "endpoints",
    mayBeRepeated: true,
  },
  operation: {
    method: "GET",
    path: "/projects/{project}/operations/{operation}",
    about: "operation",
    mayBeRepeated: true,
  },
  connection_uri: {
    method: "GET",
    path: "/projects/{project}/connection_uri",
    about: "connection URI",
    mayBeRepeated: true,
  },
  delete_branch: {
    method: "DELETE",
    path: branch,
    about: "deletion of a branch",
    mayBeRepeated: true,
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;
