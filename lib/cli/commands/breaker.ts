import { Breakers, breakerServices } from "../../operations/breakers.js";
import type { Command } from "../command.js";
import { table } from "../text.js";

const show: Command = {
  name: "breaker",
  args: [],
  summary: "the state of the circuit breakers",
  async run({ api }) {
    const body = await api.get(Breakers, "/api/ops/breakers");
    return { body, text: table(body.items) };
  },
};

export const breakerCommands: readonly Command[] = [
  show,
  setting("open", "open", "block all calls to a service"),
  setting("close", "closed", "allow all calls to a service, even if they fail"),
  setting("auto", "auto", "let a breaker open and close automatically again"),
];

function setting(verb: string, state: string, summary: string): Command {
  return {
    name: `breaker ${verb}`,
    args: ["SERVICE"],
    names: { what: "breaker", oneOf: breakerServices },
    summary,
    changes: true,
    run: ({ api, args: [service = ""] }) =>
      api.change("PUT", `/api/ops/breakers/${encodeURIComponent(service)}`, { state }),
  };
}
