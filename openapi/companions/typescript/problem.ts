// Answers that are no success, as errors with a code to decide by.

import type { Problem } from "./schema.js";

/** An answer that is no success. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(
    readonly response: Response,
    /** Nothing where a gateway has answered in words of its own. */
    readonly problem: Problem | undefined,
  ) {
    super(problem?.detail ?? `The answer is ${response.status}.`);
  }

  /** As `token_expired`; of an answer that is no problem document, `http_502`. */
  get code(): string {
    return this.problem?.code ?? `http_${this.response.status}`;
  }
}

/** The data of the client's result. Throws a `ProblemError` where the answer is no success. */
export function dataOf<T>(result: { data?: T; error?: unknown; response: Response }): T {
  if (result.response.ok) return result.data as T;
  throw new ProblemError(result.response, isProblem(result.error) ? result.error : undefined);
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body;
}
