/** Asserts on promises that must fail with an `AppError`. */
import { expect } from "chai";
import { AppError, type ErrorCode } from "../../src/core/errors.ts";

/** The error with which `promise` fails: an `AppError` of `code` whose message contains all `words`. Other errors are thrown on. */
export async function rejection(promise: Promise<unknown>, code: ErrorCode, ...words: readonly string[]): Promise<AppError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) return expect.fail("it was not refused");
  if (!(outcome.error instanceof AppError)) throw outcome.error;
  expect(outcome.error.code, outcome.error.message).to.equal(code);
  for (const word of words) expect(outcome.error.message).to.contain(word);
  return outcome.error;
}

/** Like `rejection` for a function that throws. */
export async function refusal(run: () => unknown, code: ErrorCode, ...words: readonly string[]): Promise<AppError> {
  return rejection((async () => run())(), code, ...words);
}
