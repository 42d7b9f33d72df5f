import { UsageError } from "./failures.js";
import { mayReceiveToken, requireEncryption } from "./may-send.js";
import type { Credentials, SignIn } from "./sign-in.js";

interface Given {
  url: URL;
  /** OPS_TOKEN. */
  token: string | undefined;
  /** OPS_URL, the deployment that the token belongs to. */
  tokenUrl: string | undefined;
  /** --break-glass. */
  breakGlass: boolean;
  signIn: SignIn;
}

interface ChosenCredentials extends Credentials {
  /** What to tell the operator afterwards. */
  notice(isRefused: boolean): string | undefined;
}

/** The session, or OPS_TOKEN: with --break-glass, and for an API token also without a session. */
export function chooseCredentials(given: Given): ChosenCredentials {
  const { url, token, tokenUrl, breakGlass, signIn } = given;
  if (breakGlass && !token) throw new UsageError("--break-glass needs the token in OPS_TOKEN.");
  const isApiToken = isApiTokenText(token);
  if (!token || !(breakGlass || (isApiToken && !signIn.hasSession()))) {
    let isAsked = false;
    return {
      ...signIn,
      token() {
        isAsked = true;
        return signIn.token();
      },
      notice: (isRefused) =>
        isRefused && isAsked && token
          ? "OPS_TOKEN was not sent. To use it, add --break-glass."
          : undefined,
    };
  }
  let sent: "was" | "may have been" | undefined;
  return {
    async token() {
      requireEncryption(url);
      if (!mayReceiveToken(url, tokenUrl)) {
        throw new UsageError(
          `OPS_TOKEN is sent only to the deployment in OPS_URL and to this machine, not to ${url.origin}.`,
        );
      }
      return token;
    },
    sent(isCertain) {
      if (isCertain || !sent) sent = isCertain ? "was" : "may have been";
    },
    confirm: async () => false,
    ...(!isApiToken && {
      advice: {
        token_invalid: `OPS_TOKEN is not the one of ${url.origin}.`,
        forbidden:
          "The break-glass token cannot do this: docs/runbooks/break-glass-used.md lists what it can do. Sign in with `npm run ops -- login`.",
      },
    }),
    notice() {
      if (!sent || isApiToken) return undefined;
      return `OPS_TOKEN ${sent} sent, not a session. Each use of the break-glass token is audited and pages.`;
    },
  };
}

/** Not the break-glass token: its use has scopes and sends no page. */
export const isApiTokenText = (token: string | undefined) => token?.startsWith("ops_") === true;
