import { readFile, realpath, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";

const contentTypes: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webp": "image/webp",
};

/** A folder means its index.html. Undefined for a file that is missing, hidden or outside `publicDirectory`. */
export async function findStaticFile(
  publicDirectory: string,
  pathname: string,
): Promise<Response | undefined> {
  const path = decodedPath(pathname);
  if (path === undefined) return undefined;
  try {
    const root = await realpath(publicDirectory);
    let file = await realpath(join(root, path));
    if ((await stat(file)).isDirectory()) file = await realpath(join(file, "index.html"));
    if (!file.startsWith(root + sep)) return undefined;
    return new Response(await readFile(file), {
      headers: {
        "content-type": contentTypes[extname(file)] ?? "application/octet-stream",
        "cache-control": "public, max-age=0, must-revalidate",
      },
    });
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function decodedPath(pathname: string): string | undefined {
  try {
    const path = decodeURIComponent(pathname);
    const isHidden = path.split(/[/\\]/).some((segment) => segment.startsWith("."));
    return isHidden || path.includes("\0") ? undefined : path;
  } catch {
    return undefined;
  }
}

function isAbsence(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return ["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG"].includes(code);
}
