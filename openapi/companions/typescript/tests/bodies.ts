// Random values of every schema go from the server through the client and back to the server, which
// says whether they are what it gave: LANDLINE_MIRROR is that server, LANDLINE_BODIES how many.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { type components, createClient } from "../src/index.js";

type Schemas = components["schemas"];
type Place = { path: { schema: keyof Schemas; index: number } };
type Json<Body> = { content: { "application/json": Body } };
interface Mirror {
  "/{schema}/{index}": {
    get: { parameters: Place; responses: { 200: Json<Schemas[keyof Schemas]> } };
    post: {
      parameters: Place;
      requestBody: Json<Schemas[keyof Schemas]>;
      responses: { 204: { content?: never }; 422: { content: { "text/plain": string } } };
    };
  };
}

const cases = Number(process.env["LANDLINE_BODIES"] ?? 500);
const server = spawn(process.env["LANDLINE_MIRROR"] ?? "", [String(cases), "1"], {
  stdio: ["pipe", "pipe", "inherit"],
});
const lines = createInterface(server.stdout)[Symbol.asyncIterator]();
const line = async (): Promise<string> => String((await lines.next()).value);
const baseUrl = await line();
const schemas = (await line()).split(" ") as (keyof Schemas)[];
const requests = (await line()).split(" ");
const client = createClient<Mirror>({ baseUrl });

async function thereAndBack(schema: keyof Schemas, index: number): Promise<void> {
  const params = { path: { schema, index } };
  const { data } = await client.GET("/{schema}/{index}", { params });
  assert.notEqual(data, undefined);
  const back = await client.POST("/{schema}/{index}", { params, body: data as NonNullable<typeof data> });
  assert.equal(back.response.status, 204, String(back.error));
}

try {
  for (const schema of schemas) {
    for (let index = 0; index < cases; index += 20) {
      const some = Array.from({ length: Math.min(20, cases - index) }, (_, next) => index + next);
      await Promise.all(some.map((index) => thereAndBack(schema, index)));
    }
  }
  const bodies = `${cases} bodies of each of ${schemas.length} schemas`;
  console.log(`${bodies} came back unchanged; the server's models took those of ${requests.length}`);
} finally {
  server.stdin.end();
}
