import { parse } from "node:path";
import type { Cron } from "../../lib/self-hosted/cron-scheduler.js";

export interface ProjectSettings {
  crons: Cron[];
}

interface PlatformRoute {
  handle?: string;
  src?: string;
  dest?: string;
  status?: number;
  check?: boolean;
}

const supported = new Set(["$schema", "buildCommand", "outputDirectory", "framework", "crons"]);

/** Read vercel.json. Throws if it has a setting that this build does not support. */
export function readProjectSettings(text: string): ProjectSettings {
  const settings: Record<string, unknown> = JSON.parse(text);
  const unknown = Object.keys(settings).filter((name) => !supported.has(name));
  if (unknown.length > 0) {
    throw new Error(`The build does not support ${unknown.join(", ")} of vercel.json.`);
  }
  return { crons: (settings.crons as ProjectSettings["crons"] | undefined) ?? [] };
}

/** `config.json` of the Build Output API, as `vercel build` writes it. `files` are in order of precedence. */
export function platformConfig(files: readonly string[], { crons }: ProjectSettings) {
  const rewrites = files.filter((file) => file.includes("[")).map(rewriteTo);
  const extensions = [...new Set(files.map((file) => parse(file).ext.slice(1)))];
  const routes: PlatformRoute[] = [
    { handle: "filesystem" },
    ...rewrites,
    { src: "^/api(/.*)?$", status: 404 },
    { handle: "error" },
    { status: 404, src: "^(?!/api).*$", dest: "/404.html" },
    { handle: "miss" },
    { src: `^/api/(.+)(?:\\.(?:${extensions.join("|")}))$`, dest: "/api/$1", check: true },
  ];
  return { version: 3, routes, ...(crons.length > 0 ? { crons } : {}) };
}

function rewriteTo(file: string): PlatformRoute {
  const { dir, name, ext } = parse(file);
  const query: string[] = [];
  const pattern = (segment: string) => {
    const parameter = /^\[(.+)\]$/.exec(segment)?.[1];
    if (parameter === undefined) return segment;
    query.push(`${parameter}=$${query.length + 1}`);
    return "([^/]+)";
  };
  const folder = dir.split("/").map(pattern).join("/");
  const last = pattern(name);
  const src =
    name === "index"
      ? `^/${folder}(/|/index|/index${escaped(ext)})?$`
      : `^/${folder}/${last === name ? `(${name}/|${escaped(name)}|${escaped(name + ext)})` : last}$`;
  return { src, dest: `/${dir}/${name}?${query.join("&")}`, check: true };
}

function escaped(text: string): string {
  return text.replace(/[[\]^$.|?*+()]/g, "\\$&");
}
