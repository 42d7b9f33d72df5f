import { AppError } from "../../errors.js";
import type { Exchange } from "../exchange.js";

/** Throws `upgrade_required` when `X-App-Version` is sent and below `MIN_APP_VERSION`. */
export function requireSupportedApp({ request, ctx }: Exchange): void {
  const { minAppVersion } = ctx.env.http;
  if (minAppVersion === undefined) return;
  const stated = /^(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?/.exec(
    request.headers.get("x-app-version") ?? "",
  );
  if (!stated) return;
  const minimum = minAppVersion.split(".");
  for (let part = 0; part < 3; part++) {
    const difference = Number(stated[part + 1] ?? 0) - Number(minimum[part] ?? 0);
    if (difference > 0) return;
    if (difference < 0) throw new AppError("upgrade_required");
  }
}
