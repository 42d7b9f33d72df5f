import { describe, expect, it } from "vitest";
import { attacksIn } from "../../../lib/observability/attack-patterns.js";

describe("an attempt at SQL injection", () => {
  it.each([
    "' or 1=1",
    "' OR '1'='1",
    '" or ""="',
    "x') or ('a'='a",
    "admin' AND 1=1 --",
    "admin'--",
    "admin' --",
    "admin'/*",
    "1' or username like '%a%",
    "1 UNION SELECT null, null",
    "1 union all select * from users",
    "1/**/UNION/**/SELECT/**/password/**/from/**/users",
    "-1 union select email, password_hash from users",
    "x'; DROP TABLE users; --",
    "1; delete from sessions",
    "1;insert into users values (1)",
    "';truncate table users",
    "1 and pg_sleep(5)",
    "1 or sleep(10)",
    "benchmark(1000000,md5(1))",
    "'; waitfor delay '0:0:5",
    "select table_name from information_schema.tables",
    "exec xp_cmdshell",
  ])("is detected in %j", (text) => {
    expect(attacksIn(text)).toContain("sql_injection_attempt");
  });
});

describe("an attempt at cross-site scripting", () => {
  it.each([
    "<script>alert(1)</script>",
    "< SCRIPT src=//evil.example>",
    "</script><b>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg onload = alert(1)>",
    "<body onpageshow=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<iframe src=//evil.example>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus=x' onclick=alert(1)",
    "javascript:alert(1)",
    "JavaScript:document.location=1",
    "data:text/html;base64,PHNjcmlwdD4=",
  ])("is detected in %j", (text) => {
    expect(attacksIn(text)).toContain("xss_attempt");
  });
});

describe("ordinary text", () => {
  it.each([
    "O'Brien",
    "Miles O'Brien or Keiko",
    "Conan O'Brien and 5 friends",
    "D'Angelo and Sons = family",
    "Jean-Luc d'Artois -- the second",
    "rock 'n' roll",
    "rock 'n' roll -- and more",
    "she said 'or else'",
    "'tis the season; drop me a line",
    "select a language",
    "Please select a language from the list",
    "union of workers; select committee",
    "credit union selection",
    "the European Union selected French",
    "insert into the blank",
    "delete from memory; update your profile",
    "update my name, set the time",
    "drop table tennis",
    "sleep (8 hours)",
    "I like to sleep; benchmark results",
    "1 = 1",
    "if a > b or c < d",
    "I <3 you",
    "<b>bold</b>",
    "a < b and b > c",
    "he's on time = good",
    "script kiddie",
    "JavaScript: the good parts",
    "learn javascript: functions (intro)",
    "onboarding=true",
    "confirmation=1",
    "data: text",
    "C'est l'été -- n'est-ce pas?",
    "أهلاً وسهلاً",
    "お元気ですか；はい",
    "ada+spanish@example.com",
    "o'neil_1-2@example.com",
    "!#$%&*/=?^`{|}~@example.com",
    "/api/user/sessions/c2Vzc2lvbi1vZi1hLXRlc3Q ?limit=20&order=created_at&cursor=eyJ--",
    "/api/index ?name=O'Brien&city=L'Aquila",
  ])("is not reported: %j", (text) => {
    expect(attacksIn(text)).toEqual([]);
  });
});

describe("the patterns", () => {
  const hostile = [
    "'".repeat(3000),
    "' or ".repeat(800),
    `'${" ".repeat(3000)}`,
    `' or ${"(".repeat(3000)}`,
    `' or ${"a".repeat(3000)}`,
    "<a ".repeat(1000),
    `<a ${"on".repeat(1500)}`,
    `<a ${" onx".repeat(900)}`,
    "<script".repeat(500),
    "/*".repeat(1500),
    "/**/".repeat(900),
    "union ".repeat(600),
    "union select a,".repeat(250),
    `union select ${"a".repeat(3000)}`,
    "javascript:".repeat(300),
    ";".repeat(3000),
    "; ".repeat(1500),
  ];

  // Catastrophic backtracking takes seconds or years; a linear pattern takes less than a millisecond.
  it.each(hostile.map((text) => [`${text.slice(0, 12)}… (${text.length})`, text] as const))(
    "are as fast for %s as for other text",
    (_, text) => {
      const begin = process.cpuUsage();
      for (let turn = 0; turn < 20; turn++) attacksIn(text);
      const { user } = process.cpuUsage(begin);
      expect(user / 20).toBeLessThan(50_000);
    },
  );

  it("are applied to the beginning of a text only", () => {
    expect(attacksIn(`${"a".repeat(5000)}<script>`)).toEqual([]);
  });
});
