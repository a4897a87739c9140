export { default as createClient } from "openapi-fetch";
export * from "./keeper.js";
export * from "./problem.js";
export type * from "./schema.js";
