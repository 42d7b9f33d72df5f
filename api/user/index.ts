import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { getUser, User } from "../../lib/user/user.js";

const GET = endpoint({
  summary: "The signed-in person's own account.",
  auth: "user",
  limits: ["default"],
  replies: { 200: User },
  errors: [],
  handle: ({ ctx, actor }) => getUser(ctx, actor.userId),
});

export default route("/api/user", { GET });
