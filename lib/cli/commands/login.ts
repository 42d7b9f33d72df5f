import type { Command } from "../command.js";

export const login: Command = {
  name: "login",
  args: [],
  summary: "sign in as an operator, with a second factor",
  notes:
    "The session is stored in a private file under $XDG_CONFIG_HOME and renewed automatically. Without a terminal, login reads the e-mail, the password and the code from stdin, one per line.",
  async run({ api, signIn }) {
    const { recoveryCode } = await signIn.logIn();
    const left = recoveryCode?.left ?? null;
    const more = left === null ? "" : ` ${left} recovery codes are left.`;
    const how = recoveryCode ? ` with a recovery code.${more}` : ".";
    return {
      body: { signedIn: true, recoveryCode },
      text: `Signed in at ${api.url.origin}${how}`,
    };
  },
};

export const logout: Command = {
  name: "logout",
  args: [],
  summary: "sign out on this machine",
  async run({ api, signIn }) {
    const wasSignedIn = await signIn.logOut();
    const text = wasSignedIn ? `Signed out at ${api.url.origin}.` : "Not signed in.";
    return { body: { signedOut: wasSignedIn }, text };
  },
};

export const confirm: Command = {
  name: "confirm",
  args: [],
  summary:
    "enter the second factor again; changes need it within the last 10 minutes, and ask for it in a terminal",
  async run({ signIn }) {
    await signIn.reauthenticate();
    return { body: { confirmed: true }, text: "Confirmed for 10 minutes." };
  },
};
