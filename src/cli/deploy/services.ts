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
  /** Whether a random one will do where nobody gives one. */
  readonly random: boolean;
}

/** A job of an installation. */
export interface Service {
  /** Short name, as in files and values. */
  readonly name: string;
  /** From 0: jobs of a stage are submitted together when those of the stages before are healthy. */
  readonly stage: number;
  /** Whether it is deployed unless a list says otherwise. */
  readonly standard: boolean;
  readonly secrets: readonly SecretItem[];
}

const DATABASE_PASSWORD = { secret: "database password", env: "DATABASE_PASSWORD", random: true } as const;
const STORE_KEY = { secret: "store access key", env: "AWS_ACCESS_KEY_ID", random: true } as const;
const STORE_SECRET = { secret: "store secret key", env: "AWS_SECRET_ACCESS_KEY", random: true } as const;

/** All jobs, in the order of their submission. */
export const SERVICES: readonly Service[] = [
  { name: "prefetch", stage: 0, standard: false, secrets: [] },
  { name: "postgres", stage: 0, standard: true, secrets: [{ name: "password", ...DATABASE_PASSWORD }] },
  {
    name: "s3",
    stage: 0,
    standard: false,
    secrets: [
      { name: "access_key", ...STORE_KEY },
      { name: "secret_key", ...STORE_SECRET },
    ],
  },
  { name: "pushgateway", stage: 0, standard: true, secrets: [] },
  { name: "controller", stage: 1, standard: true, secrets: [{ name: "database_password", ...DATABASE_PASSWORD }] },
  { name: "prometheus", stage: 1, standard: true, secrets: [] },
  {
    name: "api",
    stage: 2,
    standard: true,
    secrets: [
      { name: "database_password", ...DATABASE_PASSWORD },
      { name: "session_token", secret: "session token", env: "WADI__API__SESSION_TOKEN", random: true },
    ],
  },
  {
    name: "node",
    stage: 2,
    standard: false,
    secrets: [{ name: "node_token", secret: "node token", env: "WADI__NODE__TOKEN", random: true }],
  },
  {
    name: "grafana",
    stage: 2,
    standard: false,
    secrets: [{ name: "admin_password", secret: "Grafana's password", env: "GRAFANA_PASSWORD", random: true }],
  },
  { name: "autoscaler", stage: 3, standard: false, secrets: [] },
  { name: "backup", stage: 3, standard: false, secrets: [{ name: "database_password", ...DATABASE_PASSWORD }] },
];

/** Names of all jobs. */
export const SERVICE_NAMES: readonly string[] = SERVICES.map(({ name }) => name);

/** The id of a service's job in Nomad. */
export function jobIdOf(name: string): string {
  return `wadi-${name}`;
}
