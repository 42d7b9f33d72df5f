import type { Command } from "./command.js";
import { alerts } from "./commands/alerts.js";
import { audit } from "./commands/audit.js";
import { backup } from "./commands/backup.js";
import { block } from "./commands/block.js";
import { breakerCommands } from "./commands/breaker.js";
import { clock } from "./commands/clock.js";
import { content } from "./commands/content.js";
import { deployments } from "./commands/deployments.js";
import { find } from "./commands/find.js";
import { flag } from "./commands/flag.js";
import { gdpr } from "./commands/gdpr.js";
import { health } from "./commands/health.js";
import { incident } from "./commands/incident.js";
import { jwt } from "./commands/jwt.js";
import { confirm, login, logout } from "./commands/login.js";
import { mail } from "./commands/mail.js";
import { operator } from "./commands/operator.js";
import { ratelimit } from "./commands/ratelimit.js";
import { restore } from "./commands/restore.js";
import { retention } from "./commands/retention.js";
import { revoke } from "./commands/revoke.js";
import { selftest } from "./commands/selftest.js";
import { sessions } from "./commands/sessions.js";
import { state } from "./commands/state.js";
import { telemetry } from "./commands/telemetry.js";
import { user } from "./commands/user.js";

/** In the order of the help. */
export const commands: readonly Command[] = [
  ...state,
  health,
  selftest,
  find,
  ...alerts,
  ...telemetry,
  ...sessions,
  ...ratelimit,
  ...revoke,
  ...jwt,
  ...user,
  ...gdpr,
  ...flag,
  ...block,
  ...breakerCommands,
  ...clock,
  ...deployments,
  ...content,
  ...backup,
  ...mail,
  ...restore,
  ...audit,
  ...retention,
  ...incident,
  ...operator,
  login,
  logout,
  confirm,
];
