import type { Env } from "../env.js";

/** Does `X-App-Version` name a version below `MIN_APP_VERSION`? What names none passes. */
export function isOutdatedApp(headers: Headers, { http }: Env): boolean {
  if (http.minAppVersion === undefined) return false;
  const stated = /^(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?/.exec(
    headers.get("x-app-version") ?? "",
  );
  if (!stated) return false;
  const minimum = http.minAppVersion.split(".");
  for (let part = 0; part < 3; part++) {
    const difference = Number(stated[part + 1] ?? 0) - Number(minimum[part] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
