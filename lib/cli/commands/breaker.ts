import { Breakers, breakerServices } from "../../operations/breakers.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const show: Command = {
  name: "breaker",
  args: [],
  summary: "the state of the circuit breakers",
  async run({ api }) {
    const body = Breakers.parse(await api.get("/api/ops/breakers"));
    return {
      body,
      text: table(body.items),
      isProblem: body.items.some(({ state }) => state !== "closed"),
    };
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
    async run({ api, args: [service] }) {
      if (!service) throw new UsageError("SERVICE is required, for example toolkit.");
      return api.change("PUT", `/api/ops/breakers/${encodeURIComponent(service)}`, { state });
    },
  };
}
