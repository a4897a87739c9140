// Keeps a person signed in: tokens, one refresh at a time, and sending again. What it does, case
// by case, stands in ../scenarios.json.

import type { Problem, SignedIn, Tokens } from "./schema.js";

/** What a device keeps. `expiresAt` is in milliseconds of this device's clock. */
export type KeptTokens = { accessToken: string; refreshToken: string; expiresAt: number };

/** Where tokens outlive the app: the keychain, an encrypted file; never a log. */
export interface TokenStore {
  read(): Promise<KeptTokens | undefined>;
  write(tokens: KeptTokens): Promise<void>;
  clear(): Promise<void>;
}

/** Time in milliseconds, chance from 0 to less than 1, and new idempotency keys. */
export interface Ambient {
  now(): number;
  random(): number;
  sleep(milliseconds: number): Promise<void>;
  uuid(): string;
}

export interface Options {
  baseUrl: string;
  store: TokenStore;
  /** The person must sign in again: the server says that the session is over. */
  onSessionEnded?: (problem: Problem) => void;
  /** The app is too old; `storeUrl` is where a newer one is. */
  onUpgradeRequired?: (problem: Problem) => void;
  /** For every request: `X-App-Platform` and `X-App-Version`. */
  headers?: Record<string, string>;
  /** Runs what no other process with this store runs meanwhile: `navigator.locks` in a browser. */
  exclusively?: <T>(work: () => Promise<T>) => Promise<T>;
  fetch?: (request: Request) => Promise<Response>;
  ambient?: Partial<Ambient>;
}

/** A call is sent so often, and anew for so many milliseconds, at most. */
const [ATTEMPTS, BUDGET] = [4, 30_000];
/** The longest pause before the second attempt; it doubles with each one, up to a bound. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [200, 5_000];
/** Tokens are refreshed so many milliseconds before they expire. */
const EARLY = 60_000;
/** An attempt that has no answer after so many milliseconds is given up. */
const PATIENCE = 10_000;
/** What may be otherwise a moment later. */
const PASSING = [429, 500, 502, 503, 504];
/** These give tokens, so they take none; a second of them would be another one. */
const GIVES_TOKENS = /\/v1\/(accounts|sessions|sessions\/refresh)$/;

const system: Ambient = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (milliseconds) => new Promise((done) => setTimeout(done, milliseconds)),
  uuid: () => crypto.randomUUID(),
};

async function patiently(request: Request): Promise<Response> {
  const patience = new AbortController();
  const stop = () => patience.abort(request.signal.reason);
  const timer = setTimeout(stop, PATIENCE);
  request.signal.addEventListener("abort", stop);
  try {
    if (request.signal.aborted) stop();
    return await globalThis.fetch(request, { signal: patience.signal });
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", stop);
  }
}

/** Its `fetch` is the client's: `createClient<paths>({ baseUrl, fetch: keeper.fetch })`. */
export class SessionKeeper {
  readonly #options: Options;
  readonly #ambient: Ambient;
  #refreshing: Promise<KeptTokens | Response | undefined> | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#ambient = { ...system, ...options.ambient };
  }

  /** Keep the tokens that registering or signing in has given. */
  async keep({ accessToken, refreshToken, expiresIn }: Tokens): Promise<KeptTokens> {
    const kept = { accessToken, refreshToken, expiresAt: this.#ambient.now() + expiresIn * 1000 };
    await this.#options.store.write(kept);
    return kept;
  }

  /** Sign out here, and on the server where it can be reached. */
  async signOut(): Promise<void> {
    try {
      await this.fetch(new Request(this.#url("/v1/sessions/current"), { method: "DELETE" }));
    } finally {
      await this.#options.store.clear();
    }
  }

  /** As `fetch`: the answer, whatever its status, or an error where none came. */
  readonly fetch = async (request: Request): Promise<Response> => {
    const again = request.method !== "POST" && request.method !== "PATCH";
    if (!again && GIVES_TOKENS.test(new URL(request.url).pathname)) {
      return this.#told(await this.#send(request));
    }
    if (!again && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", this.#ambient.uuid());
    }
    const early = await this.#early();
    if (early instanceof Response) return early;
    const answer = await this.#attempts(request, early);
    const code = answer.status === 401 ? (await problemOf(answer))?.code : undefined;
    if (!early || (code !== "token_expired" && code !== "token_invalid")) {
      return this.#told(answer, early);
    }
    const refreshed = await this.#refresh(early);
    if (!refreshed || refreshed instanceof Response) return refreshed ?? answer;
    return this.#told(await this.#attempts(request, refreshed), refreshed);
  };

  #send(request: Request): Promise<Response> {
    const { headers = {}, fetch = patiently } = this.#options;
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    return fetch(request);
  }

  #url(path: string): string {
    return this.#options.baseUrl.replace(/\/$/, "") + path;
  }

  /** The tokens of the next call, new ones where the old ones expire soon: those still do where
   * none can be had at the moment. */
  async #early(): Promise<KeptTokens | Response | undefined> {
    const kept = await this.#options.store.read();
    const left = (kept?.expiresAt ?? 0) - this.#ambient.now();
    if (!kept || left > EARLY) return kept;
    const refreshed = this.#refresh(kept);
    if (left <= 0) return refreshed;
    const outcome = await refreshed.catch(() => kept);
    return outcome instanceof Response && PASSING.includes(outcome.status) ? kept : outcome;
  }

  /** New tokens, or the answer that refuses them. Whoever asks meanwhile is given the same. */
  async #refresh(stale: KeptTokens): Promise<KeptTokens | Response | undefined> {
    const exclusively = this.#options.exclusively ?? ((work) => work());
    this.#refreshing ??= exclusively(() => this.#exchange(stale)).finally(() => {
      this.#refreshing = undefined;
    });
    const outcome = await this.#refreshing;
    return outcome instanceof Response ? outcome.clone() : outcome;
  }

  async #exchange(stale: KeptTokens): Promise<KeptTokens | Response | undefined> {
    const kept = await this.#options.store.read();
    // Signed out; or another call, or another process, has refreshed.
    if (!kept || kept.accessToken !== stale.accessToken) return kept;
    const body = JSON.stringify({ refreshToken: kept.refreshToken });
    const headers = { "Content-Type": "application/json" };
    const url = this.#url("/v1/sessions/refresh");
    const answer = await this.#attempts(new Request(url, { method: "POST", headers, body }));
    // A 401 that is no problem document is not the API's: a hotel's network says such things.
    const refused = answer.status === 401 && (await problemOf(answer));
    if (refused) await this.#end(refused, kept);
    if (!answer.ok) return refused ? answer : this.#told(answer, kept);
    const { tokens } = (await answer.json()) as SignedIn;
    const signedOut = (await this.#options.store.read())?.refreshToken !== kept.refreshToken;
    return signedOut ? undefined : this.keep(tokens);
  }

  /** The app is told of what no single call can mend. */
  async #told(answer: Response, tokens?: KeptTokens): Promise<Response> {
    if (answer.status !== 401 && answer.status !== 426) return answer;
    const problem = await problemOf(answer);
    if (problem?.code === "upgrade_required") this.#options.onUpgradeRequired?.(problem);
    if (problem?.code === "session_revoked" && tokens) await this.#end(problem, tokens);
    return answer;
  }

  async #end(problem: Problem, tokens: KeptTokens): Promise<void> {
    // Somebody may have signed in meanwhile.
    if ((await this.#options.store.read())?.refreshToken !== tokens.refreshToken) return;
    await this.#options.store.clear();
    this.#options.onSessionEnded?.(problem);
  }

  /** Sends until there is an answer that will be no other in a moment. */
  async #attempts(request: Request, tokens?: KeptTokens): Promise<Response> {
    if (tokens) request.headers.set("Authorization", `Bearer ${tokens.accessToken}`);
    const end = this.#ambient.now() + BUDGET;
    for (let attempt = 1; ; attempt++) {
      const [answer, error] = await this.#send(request.clone()).then(
        (answer) => [answer] as const,
        (error: unknown) => [undefined, error] as const,
      );
      const pause = this.#pause(attempt, answer);
      const over = attempt === ATTEMPTS || this.#ambient.now() + pause > end;
      if (answer && (over || !(await isPassing(answer)))) return answer;
      // The signal is the app's own: nobody waits any more.
      if (!answer && (over || request.signal.aborted)) throw error;
      await answer?.body?.cancel();
      await this.#ambient.sleep(pause);
    }
  }

  /** What the server asks for, and any time up to a bound on top, so that phones spread out. */
  #pause(attempt: number, answer?: Response): number {
    const asked = Number(answer?.headers.get("Retry-After") ?? 0) * 1000;
    const bound = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1));
    return (asked || 0) + this.#ambient.random() * bound;
  }
}

async function isPassing(answer: Response): Promise<boolean> {
  if (answer.status === 409) return (await problemOf(answer))?.code === "request_in_progress";
  return PASSING.includes(answer.status);
}

/** The problem in an answer, which stays readable; none where a gateway speaks. */
async function problemOf(answer: Response): Promise<Problem | undefined> {
  if (!answer.headers.get("Content-Type")?.startsWith("application/problem+json")) return undefined;
  return (await answer.clone().json()) as Problem;
}
