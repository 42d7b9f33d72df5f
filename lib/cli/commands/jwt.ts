import { RotationState, TokenInspection } from "../../operations/jwt.js";
import type { Command } from "../command.js";
import { table, wrapped } from "../text.js";

const inspect: Command = {
  name: "jwt inspect",
  args: ["[TOKEN]"],
  summary: "inspect a token: its claims, whether it is accepted, and the reason",
  notes:
    "Without TOKEN, or with -, the token is read from stdin or asked for: as an argument, other users of the machine and the shell's history see it. It is sent in the request body and is not stored or logged.",
  async run({ api, args: [typed = "-"], terminal }) {
    const token = typed === "-" ? await terminal.ask("Token", { hidden: true }) : typed;
    const inspected = await api.look(TokenInspection, "/api/ops/jwt/inspections", { token });
    const { findings, session, ...claims } = inspected;
    const rows = Object.entries(claims).map(([field, value]) => ({ field, value }));
    const state = { field: "session", value: session?.state ?? "unknown" };
    return {
      body: inspected,
      text: `${findings.join("\n")}\n\n${table([...rows, state])}`,
      isProblem: inspected.verdict !== "good" || session?.state !== "live",
    };
  },
};

const rotation: Command = {
  name: "jwt rotation",
  args: [],
  summary: "which keys sign, verify and encrypt, and how many rows use each",
  notes: "See docs/runbooks/rotate-keys.md for how to rotate them.",
  async run({ api }) {
    const state = await api.get(RotationState, "/api/ops/jwt/rotation");
    const { jwt, data } = state;
    const known = [data.current, ...data.recognised];
    const lost = data.uses.filter(({ keyId }) => !known.includes(keyId));
    const lines = [
      `JWT_SECRET  signs with ${jwt.signs}, also verifies ${jwt.verifies.join(", ") || "none"}`,
      `DATA_KEY    encrypts with ${data.current}, also decrypts ${data.recognised.join(", ") || "none"}`,
    ].map((line) => wrapped(line, 0));
    lines.push(
      table(data.uses, "No rows use a data key yet."),
      ...lost.map(
        ({ what, keyId }) => `Missing key: a ${what} needs ${keyId}, which is not configured.`,
      ),
    );
    return { body: state, text: lines.join("\n"), isProblem: lost.length > 0 };
  },
};

export const jwt = [inspect, rotation];
