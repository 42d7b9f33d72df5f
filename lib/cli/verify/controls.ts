import type { ControlFinding } from "../../operations/state/verification-report.js";

interface ControlText {
  title: string;
  /** What must hold. */
  asks: string;
  how: string;
}

/** For a reader who does not know us. In the order of the page. */
export const controls: Record<ControlFinding["control"], ControlText> = {
  transport: {
    title: "Encryption in transit",
    asks: "TLS 1.3 is offered; TLS 1.1 and 1.0 are refused; TLS 1.2 is the lowest version. The certificate is valid. HSTS lasts at least a year, and plain HTTP leads to HTTPS.",
    how: "From the machine that ran the command: one TLS handshake for each version, one request for the headers, and one over plain HTTP.",
  },
  tokens: {
    title: "Access tokens",
    asks: "JSON Web Tokens are signed with HS256, and no other algorithm is accepted.",
    how: "The server signed claims with its own key under each algorithm and verified the results. The command sent tokens of other algorithms to the server; it records them as security events.",
  },
  access: {
    title: "Access of operators",
    asks: "Every operator has a second factor.",
    how: "Counted in the database of the deployment.",
  },
  keys: {
    title: "Encryption keys",
    asks: "Data at rest is encrypted with a key of its own. Older keys only read.",
    how: "From the configuration of the server, and from the key IDs in the seals of the audit log.",
  },
  retention: {
    title: "Retention",
    asks: "Access logs are kept for a year and audit logs for 90 days. Older data is removed.",
    how: "From the configuration in force, and the age of the oldest row of each class of data.",
  },
  access_log: {
    title: "Access log",
    asks: "There is a log of each day of the last year, or since the deployment exists.",
    how: "From the daily partitions that are present in the database.",
  },
  audit_log: {
    title: "Audit log",
    asks: "The record of who changed what cannot be altered undetected.",
    how: "Rows were compared with signed, chained hashes (seals). Database permissions were read.",
  },
  backups: {
    title: "Backups",
    asks: "Backups are taken daily, kept for 30 days and checked daily.",
    how: "From the results of the server's own daily check of its backup store.",
  },
  restore_drills: {
    title: "Restore drills",
    asks: "A restore is tested each month.",
    how: "From the record of the last drill: it restores a copy, compares it and measures the recovery time (RTO) and the age of the newest row (RPO).",
  },
  deployments: {
    title: "Change log",
    asks: "All deployments are logged.",
    how: "From the log of deployments, which the platform and each release write.",
  },
  stores: {
    title: "Integrity of the data",
    asks: "The rules that the application relies on hold in its databases.",
    how: "Counted and compared in the databases of the deployment.",
  },
};

export const notCovered = [
  "The settings of the hosting platform, the database provider and their staff: see their own reports.",
  "The storage encryption and the location of the databases, which the providers state.",
  "Other addresses of the deployment, such as preview URLs, and cipher suites beyond those agreed on.",
  "Backups that the server does not take: a self-hosted server's are checked with `npm run backup -- check`.",
  "The age of the token secret (JWT_SECRET), which nothing records.",
  "Policies, training, and who reads the logs and alerts.",
  "Any other time than that of the check.",
];
