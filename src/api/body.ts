/**
 * Reads a request's JSON body within limits: of bytes, because the caller decides how much to send, and of depth, because a parser of JSON and
 * a validator are recursive.
 */
import type { IncomingMessage } from "node:http";
import { badRequest, HttpError } from "./http-error.ts";

/** Largest body: SQL of 1 MiB, written in JSON with every character escaped, and the rest. */
export const BODY_LIMIT_BYTES = 8 * 2 ** 20;
/** Deepest nesting of objects and arrays in a body. */
const DEPTH_LIMIT = 64;

/** The JSON value of the body. Throws 413, 415 or 400. */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  checkContentType(request.headers["content-type"]);
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > BODY_LIMIT_BYTES) throw tooLarge();
  const text = await readText(request);
  if (text === "") throw badRequest("the request has no body", { hint: "Send a JSON object." });
  checkDepth(text);
  const value = parse(text);
  if (text.includes("\\u0000")) refuseNul(value, "");
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body is not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** PostgreSQL's texts cannot hold it. The depth has been checked. */
function refuseNul(value: unknown, path: string): void {
  if (typeof value === "string" && value.includes("\0")) throw badRequest(`body field "${path}" must not contain the character U+0000`);
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const place = path === "" ? key : `${path}.${key}`;
    if (key.includes("\0")) throw badRequest(`body field "${path}" has a name with the character U+0000`);
    refuseNul(inner, place);
  }
}

/** A page of another site can send forms and plain text without asking the browser; it cannot send JSON. */
function checkContentType(header: string | undefined): void {
  const type = header?.split(";")[0]?.trim().toLowerCase();
  if (type === "application/json") return;
  const found = type === undefined || type === "" ? "no content-type" : `content-type "${type}"`;
  throw new HttpError(415, "invalid-usage", `a body must have content-type "application/json", this one has ${found}`);
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw badRequest("the body is not valid UTF-8");
  }
}

function tooLarge(): HttpError {
  return new HttpError(413, "invalid-usage", `the body exceeds the limit of ${BODY_LIMIT_BYTES} bytes`);
}

/** Counts brackets outside of strings. */
function checkDepth(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x22) at = endOfString(text, at);
    else if (c === 0x5b || c === 0x7b) depth++;
    else if (c === 0x5d || c === 0x7d) depth--;
    if (depth > DEPTH_LIMIT) throw badRequest(`the body is nested more than ${DEPTH_LIMIT} levels deep`);
  }
}

/** Index of the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x5c) at++;
    else if (c === 0x22) return at;
  }
  return text.length;
}
