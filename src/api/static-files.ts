/**
 * Serves the UI: files as they are, and its page for every other path, because the UI routes by path itself. Files with a hash in their name
 * never change and are kept by browsers for a year; all others are asked for again each time. The build has put compressed copies beside the
 * files (`<name>.br`, `<name>.gz`): browsers that take them get them.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import type { Middleware } from "koa";
import { HttpError } from "./http-error.ts";

/** No script but the files' own, no frames, nothing from elsewhere. Styles are set by code on elements, hence `unsafe-inline` there. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".wasm": "application/wasm",
};
const HASHED = /[-.][A-Za-z0-9_-]{8,}\.(?:js|css|woff2|png|svg|wasm|map)$/;
const PAGE = "index.html";

const PLAIN_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Wadi</title></head>
<body><h1>Wadi</h1><p>The API is running. The web UI was not built: run <code>npm run build</code> and start again.</p>
<p>The API is described at <a href="/api/v1/api-docs/openapi.json">/api/v1/api-docs/openapi.json</a>.</p></body></html>
`;

/** Headers of every answer. */
export const securityHeaders: Middleware = async (context, next) => {
  context.set({
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
  });
  await next();
};

/** Answers GET and HEAD from `folder`; without a folder, or if it is empty, with a plain page. */
export function serveFiles(folder: string | undefined): Middleware {
  const root = folder === undefined ? undefined : resolve(folder);
  return async (context) => {
    if (context.method !== "GET" && context.method !== "HEAD") {
      throw new HttpError(405, "invalid-usage", `method ${context.method} is not possible here`);
    }
    const path = root === undefined ? undefined : await fileFor(root, context.path);
    if (path === undefined) {
      if (extname(context.path) !== "") throw new HttpError(404, "not-found", `there is nothing at ${context.path}`);
      context.type = "text/html; charset=utf-8";
      context.set("cache-control", "no-cache");
      context.body = PLAIN_PAGE;
      return;
    }
    const { file, encoding } = await variantOf(path, context.get("accept-encoding"));
    context.type = TYPES[extname(path)] ?? "application/octet-stream";
    context.length = (await stat(file)).size;
    context.set("cache-control", HASHED.test(path) ? "public, max-age=31536000, immutable" : "no-cache");
    context.vary("accept-encoding");
    if (encoding !== undefined) context.set("content-encoding", encoding);
    context.body = createReadStream(file);
  };
}

/** Codings with the ending of their copies, the smaller first. */
const CODINGS = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

/** The copy of the file that is sent to a browser with the header `accepts`. */
async function variantOf(path: string, accepts: string): Promise<{ readonly file: string; readonly encoding: string | undefined }> {
  for (const [encoding, ending] of CODINGS) {
    if (takesCoding(accepts, encoding) && (await isFile(path + ending))) return { file: path + ending, encoding };
  }
  return { file: path, encoding: undefined };
}

/** Whether a header Accept-Encoding names the coding, not with weight 0: https://www.rfc-editor.org/rfc/rfc9110#field.accept-encoding */
function takesCoding(accepts: string, encoding: string): boolean {
  return accepts.split(",").some((part) => {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return name === encoding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** The file for a path of a URL; the page for a path without an extension; `undefined` if there is none. */
async function fileFor(root: string, urlPath: string): Promise<string | undefined> {
  const decoded = decode(urlPath);
  if (decoded === undefined) return undefined;
  const asked = resolve(join(root, decoded));
  if (asked !== root && !asked.startsWith(root + sep)) return undefined;
  if (await isFile(asked)) return asked;
  if (extname(decoded) !== "") return undefined;
  const page = join(root, PAGE);
  return (await isFile(page)) ? page : undefined;
}

function decode(path: string): string | undefined {
  try {
    const decoded = decodeURIComponent(path);
    return decoded.includes("\0") ? undefined : decoded;
  } catch {
    return undefined;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
