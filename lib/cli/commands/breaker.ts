import { Breakers, breakerServices } from "../../operations/breakers.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const show: Command = {
  name: "breaker",
  args: [],
  summary: "where the circuit breakers stand",
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
  setting("open", "open", "stop all calls of a service"),
  setting("close", "closed", "let all calls of a service through, whatever fails"),
  setting("auto", "auto", "let a breaker decide by itself again"),
];

function setting(verb: string, state: string, summary: string): Command {
  return {
    name: `breaker ${verb}`,
    args: ["SERVICE"],
    names: { what: "breaker", oneOf: breakerServices },
    summary,
    changes: true,
    async run({ api, args: [service] }) {
      if (!service) throw new UsageError("Name the service, such as toolkit.");
      return api.change("PUT", `/api/ops/breakers/${encodeURIComponent(service)}`, { state });
    },
  };
}
