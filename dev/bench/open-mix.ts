import type { SignedInPerson } from "./people.js";

export interface LoadLogin {
  body: string;
  address: string;
}

export interface LoadCall {
  kind: string;
  method: "GET" | "POST" | "PATCH";
  path: string;
  address: string;
  authorization?: string;
  body?: string;
  /** Any other status is an error. */
  status: number;
  /** After the reply, or without one. */
  done?(replyText: string | null): void;
}

const reads = ["/api/user", "/api/user/preferences", "/api/user/sessions", "/api/flags"];
export const mixRoutes = [...reads, "/api/auth/refresh", "/api/auth/login"];

/** A call of a realistic mix: 80 % reads, 10 % refreshes, 5 % writes, 4 % refused calls, 1 % logins. */
export function createMix(people: SignedInPerson[], logins: LoadLogin[]): () => LoadCall {
  const free = [...people];
  let turn = 0;

  function signedIn(kind: string, method: LoadCall["method"], path: string, body?: string) {
    const { authorization, address } = people[turn++ % people.length] as SignedInPerson;
    return { kind, method, path, address, authorization, ...(body && { body }), status: 200 };
  }

  /** Each person's refreshes follow one another, as the tokens do. */
  function refresh(): LoadCall {
    const person = free.splice(Math.floor(Math.random() * free.length), 1)[0];
    if (!person) throw new Error("All people are refreshing.");
    const { refreshToken, address } = person;
    return {
      kind: "refresh",
      method: "POST",
      path: "/api/auth/refresh",
      address,
      body: JSON.stringify({ refreshToken }),
      status: 200,
      done(replyText) {
        // After an error the person has no valid token left.
        const { accessToken, refreshToken: next } = parsed(replyText ?? "");
        if (!next) return;
        Object.assign(person, { refreshToken: next, authorization: `Bearer ${accessToken}` });
        free.push(person);
      },
    };
  }

  function login(): LoadCall {
    const found = logins.pop();
    if (!found) return refresh();
    return { kind: "login", method: "POST", path: "/api/auth/login", ...found, status: 200 };
  }

  function refused(): LoadCall {
    if (Math.random() < 0.5)
      return { ...signedIn("refused", "PATCH", "/api/user", "{}{"), status: 400 };
    const { authorization: _, ...call } = signedIn("refused", "GET", "/api/user");
    return { ...call, status: 401 };
  }

  return () => {
    const share = Math.random();
    if (share < 0.8) {
      const read = Math.floor(Math.random() * reads.length);
      return signedIn("read", "GET", reads[read] as string);
    }
    if (share < 0.9) return refresh();
    if (share < 0.95) {
      return signedIn("write", "PATCH", "/api/user", JSON.stringify({ name: `Bench ${turn}` }));
    }
    return share < 0.99 ? refused() : login();
  };
}

function parsed(text: string): { accessToken?: string; refreshToken?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
