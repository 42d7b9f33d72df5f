import { UsageError } from "./failures.js";
import type { Credentials, SignIn } from "./sign-in.js";

interface Given {
  /** OPS_TOKEN. */
  token: string | undefined;
  /** --break-glass. */
  breakGlass: boolean;
  signIn: SignIn;
}

interface ChosenCredentials extends Credentials {
  /** What to tell the operator afterwards. */
  notice(isFailed: boolean): string | undefined;
}

/** The session; OPS_TOKEN with --break-glass, or without a session. */
export function chooseCredentials({ token, breakGlass, signIn }: Given): ChosenCredentials {
  if (breakGlass && !token) throw new UsageError("--break-glass needs the token in OPS_TOKEN.");
  if (!token || (signIn.hasSession() && !breakGlass)) {
    const unused =
      "OPS_TOKEN was not sent, because there is a session. To use it, add --break-glass.";
    return { ...signIn, notice: (isFailed) => (isFailed && token ? unused : undefined) };
  }
  let isUsed = false;
  return {
    async token() {
      isUsed = true;
      return token;
    },
    confirm: async () => false,
    ...(!token.startsWith("ops_") && {
      ifForbidden:
        "The break-glass token cannot do this: docs/runbooks/break-glass-used.md lists what it can do. Sign in with `npm run ops -- login`.",
    }),
    notice() {
      // Other tokens have scopes, and their use sends no page.
      if (!isUsed || token.startsWith("ops_")) return undefined;
      return "OPS_TOKEN was sent, not a session. Each use of the break-glass token is audited and pages.";
    },
  };
}
