import type { Command } from "../command.js";

export const login: Command = {
  name: "login",
  args: [],
  summary: "sign in as an operator, with a second factor",
  notes:
    "The session is kept in a file of your own under $XDG_CONFIG_HOME, and renewed by itself. Piped, it reads\nthe e-mail, the password and the code from stdin, a line each.",
  async run({ api, signIn }) {
    await signIn.logIn();
    return { body: { signedIn: true }, text: `Signed in at ${api.url.origin}.` };
  },
};

export const logout: Command = {
  name: "logout",
  args: [],
  summary: "end the session of this terminal",
  async run({ api, signIn }) {
    const wasSignedIn = await signIn.logOut();
    const text = wasSignedIn ? `Signed out at ${api.url.origin}.` : "Nobody was signed in.";
    return { body: { signedOut: wasSignedIn }, text };
  },
};

export const confirm: Command = {
  name: "confirm",
  args: [],
  summary: "show the second factor again: changes need it within ten minutes",
  async run({ signIn }) {
    await signIn.showFactor();
    return { body: { confirmed: true }, text: "Confirmed, for ten minutes." };
  },
};
