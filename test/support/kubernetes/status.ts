/** Refusals as the API server words them: https://github.com/kubernetes/apimachinery/blob/master/pkg/api/errors/errors.go */
import type { Resource } from "./objects.ts";

export class ApiRefusal {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterSeconds?: number) {
    this.code = code;
    this.reason = reason;
    this.message = message;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  get status(): object {
    const { code, reason, message } = this;
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  }
}

const full = ({ plural, group }: Resource): string => (group === "" ? plural : `${plural}.${group}`);
const kindOf = ({ kind, group }: Resource): string => (group === "" ? kind : `${kind}.${group}`);

export const notFound = (resource: Resource, name: string): ApiRefusal =>
  new ApiRefusal(404, "NotFound", `${full(resource)} "${name}" not found`);

export const alreadyExists = (resource: Resource, name: string): ApiRefusal =>
  new ApiRefusal(409, "AlreadyExists", `${full(resource)} "${name}" already exists`);

export const conflict = (resource: Resource, name: string): ApiRefusal =>
  new ApiRefusal(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${full(resource)} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
  );

export const invalid = (resource: Resource, name: string, causes: readonly string[]): ApiRefusal => {
  const text = causes.length === 1 ? causes[0] : `[${causes.join(", ")}]`;
  return new ApiRefusal(422, "Invalid", `${kindOf(resource)} "${name}" is invalid: ${text}`);
};

export const badRequest = (message: string): ApiRefusal => new ApiRefusal(400, "BadRequest", message);

export const forbidden = (resource: Resource, name: string, why: string): ApiRefusal =>
  new ApiRefusal(403, "Forbidden", `${full(resource)} ${name === "" ? "" : `"${name}" `}is forbidden: ${why}`);

export const unauthorized = (): ApiRefusal => new ApiRefusal(401, "Unauthorized", "Unauthorized");

export const expired = (version: number, oldest: number): ApiRefusal =>
  new ApiRefusal(410, "Expired", `too old resource version: ${version} (${oldest})`);
