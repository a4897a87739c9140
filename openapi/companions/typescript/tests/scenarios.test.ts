// Runs scenarios.json on the keeper, under a clock that only moves when somebody sleeps.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { type KeptTokens, type Problem, SessionKeeper, type TokenStore, type Tokens } from "../src/index.js";

type Given = "nothing" | { status?: number; code?: string; text?: string; tokens?: number; retryAfter?: number };
type Call = { send: string; key?: string; gives: Given };
type Exchange = {
  takes: string;
  token?: string;
  key?: string;
  refreshToken?: string;
  times?: number;
  together?: boolean;
  meanwhile?: { keeps?: number; forgets?: boolean };
  gives: Given;
};
type Scenario = {
  name: string;
  kept?: { tokens: number; expiresIn: number };
  random?: number;
  steps: { after?: number; clock?: number; calls: Call[] }[];
  server: Exchange[];
  then: { kept: number | null; ended?: number; upgrade?: number; pauses?: number[] };
};

const BASE = "https://api.example.com";

function tokens(number: number, expiresIn = 900): Tokens {
  const [accessToken, refreshToken] = [`access-${number}`, `refresh-${number}`];
  return { accessToken, refreshToken, tokenType: "Bearer", expiresIn };
}

class World implements TokenStore {
  now = Date.UTC(2026, 10, 22);
  kept: KeptTokens | undefined;
  readonly told = { ended: 0, upgrade: 0, pauses: [] as number[] };
  readonly keeper: SessionKeeper;
  #keys = 0;
  #locked = false;
  #waiting = 0;
  readonly #expected: Exchange[];

  constructor(scenario: Scenario) {
    this.#expected = scenario.server.flatMap((it) => Array.from({ length: it.times ?? 1 }, () => it));
    this.keeper = new SessionKeeper({
      baseUrl: BASE,
      store: this,
      onSessionEnded: (problem) => this.told.ended++ || assert.equal(problem.status, 401),
      onUpgradeRequired: (problem) => this.told.upgrade++ || assert.ok(problem.storeUrl),
      exclusively: async (work) => {
        assert.equal(this.#locked, false);
        this.#locked = true;
        return work().finally(() => (this.#locked = false));
      },
      fetch: (request) => this.#answer(request),
      ambient: {
        now: () => this.now,
        random: () => scenario.random ?? 0.5,
        uuid: () => `key-${++this.#keys}`,
        sleep: async (milliseconds) => {
          this.told.pauses.push(milliseconds);
          this.now += milliseconds;
        },
      },
    });
  }

  read = async () => this.kept;
  write = async (kept: KeptTokens) => void (this.kept = kept);
  clear = async () => void (this.kept = undefined);

  async call({ send, key, gives }: Call): Promise<void> {
    const [method = "", path = ""] = send.split(" ");
    if (send === "sign out") {
      const signedOut = this.keeper.signOut();
      return gives === "nothing" ? assert.rejects(signedOut) : signedOut;
    }
    const headers = new Headers(key ? { "Idempotency-Key": key } : {});
    const body = method === "GET" || method === "DELETE" ? null : "{}";
    const answer = this.keeper.fetch(new Request(BASE + path, { method, headers, body }));
    if (gives === "nothing") return assert.rejects(answer, TypeError);
    const { status } = await answer;
    const code = ((await (await answer).json().catch(() => ({}))) as Partial<Problem>).code;
    assert.deepEqual({ status, code }, { status: gives.status, code: gives.code });
  }

  /** Every request that was expected has come. */
  assertDone(): void {
    assert.deepEqual(this.#expected, [], "these requests did not come");
  }

  async #answer(request: Request): Promise<Response> {
    const expected = this.#expected.shift();
    const text = await request.text();
    const path = new URL(request.url).pathname;
    const refreshes = request.method === "POST" && path === "/v1/sessions/refresh";
    const came = {
      takes: `${request.method} ${path}`,
      token: request.headers.get("Authorization")?.replace(/^Bearer /, ""),
      key: request.headers.get("Idempotency-Key") ?? undefined,
      refreshToken: refreshes ? (JSON.parse(text) as { refreshToken: string }).refreshToken : undefined,
    };
    const { takes, token, key, refreshToken } = expected ?? {};
    assert.deepEqual(came, { takes, token, key, refreshToken });
    if (refreshes) assert.ok(this.#locked, "it refreshes with the lock");
    if (!refreshes) assert.equal(text, request.method === "GET" || request.method === "DELETE" ? "" : "{}");
    if (expected?.together) await this.#everybody(expected.times ?? 1);
    if (expected?.meanwhile?.forgets) this.kept = undefined;
    if (expected?.meanwhile?.keeps) await this.keeper.keep(tokens(expected.meanwhile.keeps));
    return this.#given(expected?.gives ?? "nothing");
  }

  /** Until so many requests wait here, and whoever else runs waits for them. */
  async #everybody(requests: number): Promise<void> {
    this.#waiting++;
    while (this.#waiting < requests) await new Promise(setImmediate);
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    this.#waiting = 0;
  }

  #given(gives: Given): Response {
    if (gives === "nothing") throw new TypeError("fetch failed");
    const { status = 200, code, text } = gives;
    const headers = new Headers(gives.retryAfter ? { "Retry-After": `${gives.retryAfter}` } : {});
    if (status === 204) return new Response(null, { status, headers });
    headers.set("Content-Type", code ? "application/problem+json" : text === undefined ? "application/json" : "text/html");
    const storeUrl = "https://apps.example.com/app";
    const body = code ? { code, status, storeUrl } : gives.tokens ? { tokens: tokens(gives.tokens) } : {};
    return new Response(text ?? JSON.stringify(body), { status, headers });
  }
}

const { scenarios } = JSON.parse(readFileSync("scenarios.json", "utf8")) as { scenarios: Scenario[] };

for (const scenario of scenarios) {
  test(scenario.name, async () => {
    const world = new World(scenario);
    if (scenario.kept) await world.keeper.keep(tokens(scenario.kept.tokens, scenario.kept.expiresIn));

    for (const { after = 0, clock = 0, calls } of scenario.steps) {
      world.now += after + clock;
      await Promise.all(calls.map((call) => world.call(call)));
    }

    world.assertDone();
    const { kept, ended = 0, upgrade = 0, pauses = [] } = scenario.then;
    assert.deepEqual(world.told, { ended, upgrade, pauses });
    assert.equal(world.kept?.refreshToken, kept ? `refresh-${kept}` : undefined);
  });
}
