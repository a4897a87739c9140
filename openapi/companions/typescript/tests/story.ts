// The story of a phone, against a local-dev that the check has started: LANDLINE_URL is where,
// LANDLINE_SIGNING_KEY is the file of its key.

import assert from "node:assert/strict";
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";

import {
  createClient,
  dataOf,
  type KeptTokens,
  type Note,
  type paths,
  ProblemError,
  SessionKeeper,
  type TokenStore,
} from "../src/index.js";

const baseUrl = process.env["LANDLINE_URL"] ?? "http://localhost:3000";
const signingKey = createPrivateKey(readFileSync(process.env["LANDLINE_SIGNING_KEY"] ?? ""));
const email = `maya.${randomUUID()}@example.com`;
const password = "likes-lighthouses";

/** Requests that were answered, as `POST /v1/notes 201`; the next answer is lost where asked. */
const answered: string[] = [];
let loseNextAnswer = false;

async function network(request: Request): Promise<Response> {
  const answer = await globalThis.fetch(request);
  answered.push(`${request.method} ${new URL(request.url).pathname} ${answer.status}`);
  if (!loseNextAnswer) return answer;
  loseNextAnswer = false;
  throw new TypeError("the answer is lost");
}

/** Runs some of the story, and gives the requests that were answered meanwhile. */
async function during(part: () => Promise<unknown>): Promise<string[]> {
  const before = answered.length;
  await part();
  return answered.slice(before);
}

/** What the server has to say against it. */
async function problem(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => assert.fail("it is no problem"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof ProblemError, String(error));
  return error.code;
}

/** The token as it would be an hour later: signed with the server's key, only older. */
function aged(token: string): string {
  const [header = "", claims = ""] = token.split(".");
  const { iat, exp, ...others } = JSON.parse(Buffer.from(claims, "base64url").toString());
  const older = Buffer.from(JSON.stringify({ ...others, iat: iat - 3600, exp: exp - 3600 }));
  const message = `${header}.${older.toString("base64url")}`;
  const key = { key: signingKey, dsaEncoding: "ieee-p1363" } as const;
  return `${message}.${sign("sha256", Buffer.from(message), key).toString("base64url")}`;
}

// guide: store
class MemoryStore implements TokenStore {
  kept: KeptTokens | undefined;

  async read() {
    return this.kept;
  }
  async write(tokens: KeptTokens) {
    this.kept = tokens;
  }
  async clear() {
    this.kept = undefined;
  }
}
// end

const ended: string[] = [];
const store = new MemoryStore();

// guide: client
const keeper = new SessionKeeper({
  baseUrl,
  store,
  headers: { "X-App-Platform": "ios", "X-App-Version": "2.3.0" },
  onSessionEnded: (problem) => ended.push(problem.code),
  fetch: network,
});
const client = createClient<paths>({ baseUrl, fetch: keeper.fetch });
// end

async function register() {
  // guide: register
  const body = { email, password, displayName: "Maya", deviceName: "Maya's phone" };
  const signedIn = dataOf(await client.POST("/v1/accounts", { body }));
  await keeper.keep(signedIn.tokens);
  // end
  assert.equal(signedIn.account.displayName, "Maya");
  const again = client.POST("/v1/accounts", { body }).then(dataOf);
  assert.equal(await problem(again), "email_taken");
  const wrong = { ...body, displayName: "", password: "short" };
  const refused = await client.POST("/v1/accounts", { body: wrong });
  const pointers = refused.error?.errors?.map(({ pointer, code }) => `${pointer} ${code}`);
  assert.deepEqual(pointers, ["/displayName length", "/password bytes"]);
}

async function signIn() {
  const wrong = client.POST("/v1/sessions", { body: { email, password: "of somebody else" } });
  assert.equal(await problem(wrong.then(dataOf)), "credentials_invalid");
  // guide: sign in
  const signedIn = dataOf(await client.POST("/v1/sessions", { body: { email, password } }));
  await keeper.keep(signedIn.tokens);
  // end
  // As an app has it, with nothing between the keeper and the network.
  const plain = createClient<paths>({ baseUrl, fetch: new SessionKeeper({ baseUrl, store }).fetch });
  const { items } = dataOf(await plain.GET("/v1/sessions"));
  assert.deepEqual([items[0]?.current, items[0]?.platform, items.length], [true, "ios", 2]);
}

async function create(): Promise<Note> {
  // guide: create
  const body = { title: "Packing list", tags: ["travel"], pinned: false };
  const note = dataOf(await client.POST("/v1/notes", { body }));
  // end
  const { title, tags, pinned, colour, version } = note;
  assert.deepEqual({ title, tags, pinned }, body);
  assert.deepEqual({ colour, version }, { colour: "yellow", version: 1 });
  // A phone that has no network yet makes the id itself.
  const path = { noteId: randomUUID() };
  const header = { "If-None-Match": "*" } as const;
  const made = await client.PUT("/v1/notes/{noteId}", { params: { path, header }, body });
  assert.equal(made.response.status, 201);
  const second = client.PUT("/v1/notes/{noteId}", { params: { path, header }, body });
  assert.equal(await problem(second.then(dataOf)), "precondition_failed");
  return note;
}

async function pageThrough() {
  for (const title of ["Two", "Three", "Four"]) {
    dataOf(await client.POST("/v1/notes", { body: { title, tags: ["counted"] } }));
  }
  // guide: pages
  async function* notesWithTag(tag: string) {
    let cursor: string | undefined;
    do {
      const query = { tag, limit: 2, cursor };
      const page = dataOf(await client.GET("/v1/notes", { params: { query } }));
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor);
  }
  // end
  const titles: string[] = [];
  for await (const note of notesWithTag("counted")) titles.push(note.title);
  assert.deepEqual(titles, ["Four", "Three", "Two"]);
  const stranger = client.GET("/v1/notes", { params: { query: { cursor: "of-another-listing" } } });
  assert.equal(await problem(stranger.then(dataOf)), "cursor_invalid");
}

async function changeOnCondition(note: Note) {
  const path = { noteId: note.id };
  // guide: change
  const { response } = await client.GET("/v1/notes/{noteId}", { params: { path } });
  const header = { "If-Match": response.headers.get("ETag") ?? "" };
  const params = { path, header };
  const changed = await client.PATCH("/v1/notes/{noteId}", { params, body: { pinned: true } });
  // end
  assert.equal(dataOf(changed).version, 2);
  const unchanged = { path, header: { "If-None-Match": changed.response.headers.get("ETag") ?? "" } };
  const { response: same } = await client.GET("/v1/notes/{noteId}", { params: unchanged });
  assert.equal(same.status, 304);
  // Somebody who has the note as it was, as another device may.
  // guide: conflict
  try {
    dataOf(await client.PATCH("/v1/notes/{noteId}", { params, body: { title: "Mine" } }));
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== "precondition_failed") throw error;
    const theirs = dataOf(await client.GET("/v1/notes/{noteId}", { params: { path } }));
    const header = { "If-Match": `"${theirs.version}"` };
    const params = { path, header };
    dataOf(await client.PATCH("/v1/notes/{noteId}", { params, body: { title: "Merged" } }));
  }
  // end
  const merged = dataOf(await client.GET("/v1/notes/{noteId}", { params: { path } }));
  assert.deepEqual([merged.title, merged.pinned, merged.version], ["Merged", true, 3]);
}

async function sendAgain() {
  const body = { title: "Once" };
  const seen = await during(async () => {
    loseNextAnswer = true;
    const { data, response } = await client.POST("/v1/notes", { body });
    assert.equal(data?.title, "Once");
    assert.equal(response.headers.get("Idempotency-Replayed"), "true");
  });
  assert.deepEqual(seen, ["POST /v1/notes 201", "POST /v1/notes 201"]);
  // guide: key
  const header = { "Idempotency-Key": randomUUID() };
  const first = await client.POST("/v1/notes", { params: { header }, body });
  const second = await client.POST("/v1/notes", { params: { header }, body });
  // end
  assert.deepEqual(second.data, first.data);
  assert.equal(second.response.headers.get("Idempotency-Replayed"), "true");
  const other = client.POST("/v1/notes", { params: { header }, body: { title: "Another" } });
  assert.equal(await problem(other.then(dataOf)), "idempotency_key_reused");
}

async function refresh() {
  const before = store.kept;
  assert.ok(before);
  store.kept = { ...before, expiresAt: Date.now() + 1_000 };
  const seen = await during(() => client.GET("/v1/account"));
  assert.deepEqual(seen, ["POST /v1/sessions/refresh 200", "GET /v1/account 200"]);
  assert.notEqual(store.kept.refreshToken, before.refreshToken);
  // A phone that lost the answer to a refresh is given the same successor again.
  store.kept = { ...store.kept, expiresAt: Date.now() - 1 };
  loseNextAnswer = true;
  const lost = await during(() => client.GET("/v1/account").then(dataOf));
  const refreshed = "POST /v1/sessions/refresh 200";
  assert.deepEqual(lost, [refreshed, refreshed, "GET /v1/account 200"]);
}

async function meetAnExpiredToken() {
  assert.ok(store.kept);
  store.kept = { ...store.kept, accessToken: aged(store.kept.accessToken) };
  const calls = () => Promise.all([client.GET("/v1/account"), client.GET("/v1/notes")]);
  const seen = (await during(calls)).sort();
  assert.deepEqual(seen, [
    "GET /v1/account 200",
    "GET /v1/account 401",
    "GET /v1/notes 200",
    "GET /v1/notes 401",
    "POST /v1/sessions/refresh 200",
  ]);
}

async function signOut() {
  const before = store.kept;
  assert.ok(before);
  // guide: sign out
  await keeper.signOut();
  // end
  assert.equal(await problem(client.GET("/v1/account").then(dataOf)), "token_missing");
  assert.deepEqual(ended, []);
  // The tokens that it had lead nowhere any more.
  store.kept = { ...before, accessToken: aged(before.accessToken) };
  assert.equal(await problem(client.GET("/v1/account").then(dataOf)), "session_revoked");
  assert.deepEqual([ended, store.kept], [["session_revoked"], undefined]);
}

await register();
await signIn();
const note = await create();
await pageThrough();
await changeOnCondition(note);
await sendAgain();
await refresh();
await meetAnExpiredToken();
await signOut();
console.log(`the story of a phone in TypeScript: ${answered.length} requests were answered`);
