import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { Breakers, listBreakers } from "../../../lib/operations/breakers.js";

const GET = operatorRead({
  summary: "List the circuit breakers: state, and whether an operator has forced it.",
  scope: "breaker",
  breakGlass: true,
  reply: Breakers,
  errors: ["redis_unavailable"],
  read: () => listBreakers(),
});

export default route("/api/ops/breakers", { GET });
