// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Nomad's clients interpolate these.
/**
 * What an operator gives all workers besides their run's own: a role at AWS by workload identity, secrets of Nomad's variables, folders of the
 * hosts. Only names and references are in the job: a credential comes to be on the worker's machine alone. Pure.
 */
import { userError } from "../../core/errors.ts";
import type { SecretReference } from "../scheduler.ts";
import type { NomadIdentity, NomadVolume, NomadVolumeMount } from "./job.ts";

/** A host volume, and where workers see it. */
export interface HostVolume {
  /** As clients have it in their configuration, or of a dynamic host volume. */
  readonly name: string;
  /** Absolute path in the task. */
  readonly destination: string;
  readonly readOnly: boolean;
}

/** Workers' access to what is outside. */
export interface WorkerAccess {
  /** ARN of the role that workers take on at AWS; undefined: none. */
  readonly awsRoleArn: string | undefined;
  /** Secrets for all workers' environment, each from a Nomad variable. */
  readonly secrets: readonly SecretReference[];
  readonly hostVolumes: readonly HostVolume[];
}

/** Nomad's name of the identity; its file is `nomad_<name>.jwt` in the task's secrets folder. */
const AWS_IDENTITY = "aws";
/** AWS accepts a token until it expires: longer than any absence of Nomad's servers. */
const TTL_NS = 24 * 3_600_000_000_000;
const SECRET = /^([A-Za-z_]\w*)=([\w~/-]+#\w+)$/;
const VOLUME = /^([\w-]+):(\/[^:]*?)(:ro)?$/;

/** `NAME=path#key` words of the setting `nomad.secrets`. Throws `invalid-config`. */
export function parseSecrets(words: readonly string[]): readonly SecretReference[] {
  return words.map((word) => {
    const [, variable, reference] = SECRET.exec(word.trim()) ?? [];
    if (variable !== undefined && reference !== undefined) return { variable, store: "nomad-variable", reference };
    throw userError("invalid-config", "nomad.secrets has an entry that is not of the form NAME=path#key", {
      hint: 'Write "AWS_ACCESS_KEY_ID=nomad/jobs#aws_access_key_id": the name for workers, a Nomad variable that their jobs may read, its item.',
    });
  });
}

/** `name:/destination` or `name:/destination:ro` words of the setting `nomad.host-volumes`. Throws `invalid-config`. */
export function parseHostVolumes(words: readonly string[]): readonly HostVolume[] {
  return words.map((word) => {
    const [, name, destination, readOnly] = VOLUME.exec(word.trim()) ?? [];
    if (name !== undefined && destination !== undefined) return { name, destination, readOnly: readOnly !== undefined };
    throw userError(
      "invalid-config",
      `nomad.host-volumes has "${word}", which is not of the form name:/destination or name:/destination:ro`,
    );
  });
}

/** Identities of a worker's task besides Wadi's. */
export function identitiesOf({ awsRoleArn }: WorkerAccess): readonly NomadIdentity[] {
  if (awsRoleArn === undefined) return [];
  return [{ Name: AWS_IDENTITY, Audience: ["sts.amazonaws.com"], File: true, TTL: TTL_NS, ChangeMode: "noop" }];
}

/** What AWS' own clients look for: the file is read again whenever their credentials are renewed. */
export function accessEnvironment({ awsRoleArn }: WorkerAccess): Readonly<Record<string, string>> {
  if (awsRoleArn === undefined) return {};
  return {
    AWS_ROLE_ARN: awsRoleArn,
    AWS_WEB_IDENTITY_TOKEN_FILE: `\${NOMAD_SECRETS_DIR}/nomad_${AWS_IDENTITY}.jwt`,
    AWS_ROLE_SESSION_NAME: "wadi-${NOMAD_SHORT_ALLOC_ID}",
  };
}

/** `Volumes` of the group; empty: none. */
export function volumesOf({ hostVolumes }: WorkerAccess): Readonly<Record<string, NomadVolume>> {
  return Object.fromEntries(
    hostVolumes.map(({ name, readOnly }) => [name, { Name: name, Type: "host", Source: name, ReadOnly: readOnly }] as const),
  );
}

/** `VolumeMounts` of the task. */
export function mountsOf({ hostVolumes }: WorkerAccess): readonly NomadVolumeMount[] {
  return hostVolumes.map(({ name, destination, readOnly }) => ({ Volume: name, Destination: destination, ReadOnly: readOnly }));
}
