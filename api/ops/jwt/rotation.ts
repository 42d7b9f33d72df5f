import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { RotationState, rotationState } from "../../../lib/operations/jwt.js";

const GET = operatorRead({
  summary: "List the signing, verifying and sealing keys by ID, and what depends on each.",
  scope: "jwt",
  reply: RotationState,
  read: ({ ctx }) => rotationState(ctx),
});

export default route("/api/ops/jwt/rotation", { GET });
