/**
 * The jobs that an installation can have: in which order they are submitted, which secrets they read, and which of them there are without asking.
 * Their text is in `nomad/<name>.nomad.hcl`; the id of a job in Nomad is `wadi-<name>`, and so is the name of its service.
 */

/** A secret of a job, an item of the Nomad variable `nomad/jobs/<job id>`. */
export interface SecretItem {
  readonly name: string;
  /** Items of the same secret have the same value in all jobs. */
  readonly secret: string;
  /** Environment variable that gives it. */
  readonly env: string;
  /** What a made one looks like; undefined: somebody has to give it. */
  readonly made?: SecretForm | undefined;
  /** The item is for installations with this job only. */
  readonly only?: string | undefined;
}

/** Characters of a secret: 32 that are safe in URLs and quotes; 64 hexadecimal digits; `GK` and 24 hexadecimal digits. */
export type SecretForm = "text" | "hex" | "key-id";

/** A job of an installation. */
export interface Service {
  /** Short name, as in files and values. */
  readonly name: string;
  /** From 0: jobs of a stage are submitted together when those of the stages before are healthy. */
  readonly stage: number;
  /** Whether it is deployed unless a list says otherwise. */
  readonly standard: boolean;
  /** Whether it runs Wadi's own program. */
  readonly own: boolean;
  readonly secrets: readonly SecretItem[];
}

const DATABASE = { secret: "database password", env: "DATABASE_PASSWORD" } as const;
const PASSWORD: SecretItem = { name: "database_password", ...DATABASE };
const NODE_TOKEN = { name: "node_token", secret: "node token", env: "WADI__NODE__TOKEN", made: "text" } as const;
const KEY = { secret: "access key of the job s3", env: "WADI_S3_ACCESS_KEY", made: "key-id", only: "s3" } as const;
const SECRET_KEY = { secret: "secret key of the job s3", env: "WADI_S3_SECRET_KEY", made: "hex", only: "s3" } as const;
/** Of jobs that store objects, where the store is one of the jobs. */
const STORE: readonly SecretItem[] = [
  { name: "aws_access_key_id", ...KEY },
  { name: "aws_secret_access_key", ...SECRET_KEY },
];

/** All jobs, in the order of their submission. */
export const SERVICES: readonly Service[] = [
  { name: "prefetch", stage: 0, standard: false, own: true, secrets: [] },
  { name: "postgres", stage: 0, standard: true, own: false, secrets: [{ name: "password", ...DATABASE, made: "text" }] },
  {
    name: "s3",
    stage: 0,
    standard: false,
    own: false,
    secrets: [
      { name: "access_key", ...KEY },
      { name: "secret_key", ...SECRET_KEY },
      { name: "rpc_secret", secret: "RPC secret of the job s3", env: "WADI_S3_RPC_SECRET", made: "hex" },
      { name: "admin_token", secret: "administrator's token of the job s3", env: "WADI_S3_ADMIN_TOKEN", made: "hex" },
    ],
  },
  { name: "pushgateway", stage: 0, standard: true, own: false, secrets: [] },
  { name: "controller", stage: 1, standard: true, own: true, secrets: [PASSWORD, { ...NODE_TOKEN, only: "node" }, ...STORE] },
  { name: "prometheus", stage: 1, standard: true, own: false, secrets: [] },
  {
    name: "api",
    stage: 2,
    standard: true,
    own: true,
    secrets: [PASSWORD, { name: "session_token", secret: "session token", env: "WADI__API__SESSION_TOKEN", made: "text" }, ...STORE],
  },
  { name: "node", stage: 2, standard: false, own: true, secrets: [NODE_TOKEN] },
  {
    name: "grafana",
    stage: 2,
    standard: false,
    own: false,
    secrets: [{ name: "admin_password", secret: "Grafana's password", env: "GF_SECURITY_ADMIN_PASSWORD", made: "text" }],
  },
  { name: "autoscaler", stage: 3, standard: false, own: false, secrets: [] },
  { name: "backup", stage: 3, standard: false, own: true, secrets: [PASSWORD, ...STORE] },
];

/** Names of all jobs. */
export const SERVICE_NAMES: readonly string[] = SERVICES.map(({ name }) => name);

/** The id of a service's job in Nomad. */
export function jobIdOf(name: string): string {
  return `wadi-${name}`;
}
