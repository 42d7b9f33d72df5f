import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { RotationState, rotationState } from "../../../lib/operations/jwt.js";

const GET = operatorRead({
  summary: "List the JWT keys and data keys by ID, and how many rows depend on each data key.",
  scope: "jwt",
  reply: RotationState,
  read: ({ ctx }) => rotationState(ctx),
});

export default route("/api/ops/jwt/rotation", { GET });
