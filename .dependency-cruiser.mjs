/**
 * Which folder may import which. Imports point down: a folder imports its own layer and those below it,
 * type imports included. A new folder of lib/ has to be given a layer here before it can import anything.
 */
const layers = [
  { name: "entry points", folders: ["api", "lib/self-hosted", "lib/cli"] },
  { name: "request pipeline", folders: ["lib/http"] },
  {
    name: "domain",
    folders: [
      ...["lib/admission", "lib/alerts", "lib/auth", "lib/backups", "lib/content"],
      ...[
        "lib/deployments",
        "lib/grading",
        "lib/health",
        "lib/learning",
        "lib/operations",
        "lib/privacy",
      ],
      ...["lib/schedule", "lib/tutor", "lib/user"],
    ],
  },
  {
    name: "supporting",
    folders: [
      ...["lib/archives", "lib/audit", "lib/crypto", "lib/db", "lib/mail"],
      ...[
        "lib/observability",
        "lib/queue",
        "lib/rate-limit",
        "lib/redis",
        "lib/telemetry",
        "lib/toolkit",
      ],
    ],
  },
  { name: "foundation", folders: ["lib/platform", "lib/[^/]+[.]ts$"] },
];

const within = (folders) =>
  `^(${folders.map((folder) => folder.replace(/(?<!\$)$/, "/").replace("$/", "$")).join("|")})`;
const [entryPoints, , , supporting] = layers.map(({ folders }) => folders);
const everyFolder = layers.flatMap(({ folders }) => folders);
const deployed = "^(api|lib)/";

export default {
  forbidden: [
    {
      name: "no-file-cycle",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-folder-cycle",
      comment: "Of two folders beside each other, one stands on the other.",
      severity: "error",
      scope: "folder",
      from: {},
      to: { circular: true },
    },
    ...layers.slice(1).map(({ name, folders }, index) => ({
      name: `no-import-up-from-${name.replace(" ", "-")}`,
      severity: "error",
      from: { path: within(folders) },
      to: { path: within(layers.slice(0, index + 1).flatMap((layer) => layer.folders)) },
    })),
    ...entryPoints.map((folder) => ({
      name: `no-import-of-${folder.replace("lib/", "")}`,
      comment: "An entry point is imported by nothing.",
      severity: "error",
      from: { path: deployed, pathNot: `^${folder}/` },
      to: { path: `^${folder}/` },
    })),
    {
      name: "no-import-between-routes",
      severity: "error",
      from: { path: "^api/" },
      to: { path: "^api/" },
    },
    {
      name: "no-shortcut-from-routes",
      comment: "A route reaches the supporting folders through lib/http/ and the domain.",
      severity: "error",
      from: { path: "^api/" },
      to: { path: [within(supporting), "^lib/platform/"] },
    },
    {
      name: "no-development-code",
      comment: "What is deployed imports neither dev/ nor tests/, nor a development dependency.",
      severity: "error",
      from: { path: deployed },
      to: { path: ["^dev/", "^tests/"] },
    },
    {
      name: "no-development-dependency",
      severity: "error",
      from: { path: deployed },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-folder-without-layer",
      severity: "error",
      from: { path: deployed, pathNot: within(everyFolder) },
      to: {},
    },
    {
      name: "no-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^[.]vercel|self-hosted/server.mjs$" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "types"],
    },
  },
};
