import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { Breakers, listBreakers } from "../../../lib/operations/breakers.js";

const GET = operatorRead({
  summary: "Where the circuit breakers stand, and whether somebody holds them.",
  scope: "breaker",
  breakGlass: true,
  reply: Breakers,
  read: () => listBreakers(),
});

export default route("/api/ops/breakers", { GET });
