import { RotationState, TokenInspected } from "../../operations/jwt.js";
import type { Command } from "../command.js";
import { table } from "../text.js";

const inspect: Command = {
  name: "jwt inspect",
  args: ["TOKEN"],
  summary: "what a token says, whether it would be taken, and why not",
  notes: "The token goes in a body and is neither kept nor logged.",
  async run({ api, args: [token] }) {
    const inspected = TokenInspected.parse(await api.look("/api/ops/jwt/inspections", { token }));
    const { findings, session, ...facts } = inspected;
    const rows = Object.entries(facts).map(([field, value]) => ({ field, value }));
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
  summary: "which keys sign, verify and seal, and what hangs on each",
  notes: "docs/runbooks/rotate-keys.md says how to change them.",
  async run({ api }) {
    const state = RotationState.parse(await api.get("/api/ops/jwt/rotation"));
    const { jwt, data } = state;
    const known = [data.current, ...data.recognised];
    const lost = data.uses.filter(({ keyId }) => !known.includes(keyId));
    const lines = [
      `JWT_SECRET  signs ${jwt.signs}, also verifies ${jwt.verifies.join(", ") || "none"}`,
      `DATA_KEY    makes ${data.current}, also recognises ${data.recognised.join(", ") || "none"}`,
      table(data.uses, "Nothing hangs on a data key yet."),
      ...lost.map(({ what, keyId }) => `Lost: a ${what} hangs on ${keyId}, which is not set.`),
    ];
    return { body: state, text: lines.join("\n"), isProblem: lost.length > 0 };
  },
};

export const jwt = [inspect, rotation];
