/**
 * Every setting of Wadi by the one name it has in TOML, in errors and in code (`config["pipeline.source-batch-size"]`); the environment
 * variable is `WADI__PIPELINE__SOURCE_BATCH_SIZE`. Names follow Arroyo's where it has the setting. How they are read is in `config.ts`.
 */
import { LOG_FORMATS, LOG_LEVELS } from "./log.ts";
import { byteSize, choice, duration, flag, integer, optionalText, port, secret, text, textList } from "./setting.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Where workers can be started. */
export const SCHEDULERS = ["process", "embedded", "node", "nomad", "kubernetes"] as const;

const checkpointSettings = {
  "checkpoint-url": text("/tmp/wadi/checkpoints", "where checkpoints are kept: a directory, file:// or s3:// URL"),
  "default-checkpoint-interval": duration(100, DAY)(10 * SECOND, "time between two checkpoints of a job"),
  "checkpoint.retention": integer(1, 1_000)(5, "how many completed checkpoints of a job are kept"),
  "checkpoint.timeout": duration(SECOND, DAY)(10 * MINUTE, "a checkpoint that takes longer is given up"),
  "checkpoint.buffer-size": byteSize(MIB, 4 * GIB)(64 * MIB, "recycled host buffers per slot for copying state out"),
} as const;

const pipelineSettings = {
  "pipeline.source-batch-size": integer(1, 8_192)(8_192, "rows after which a source closes a batch"),
  "pipeline.source-batch-linger": duration(0, MINUTE)(10, "time after which a source closes a batch that is not full"),
  "pipeline.update-flush-interval": duration(1, HOUR)(SECOND, "time between two flushes of an updating operator's changes"),
  "pipeline.state-limit": byteSize(16 * MIB, 3.5 * GIB)(3.5 * GIB, "memory of one slot at which its run fails, naming the largest tables"),
  "pipeline.allowed-restarts": integer(0, 1_000_000)(20, "failures in a row after which a job is failed for good"),
  "pipeline.healthy-duration": duration(SECOND, DAY)(2 * MINUTE, "time of running after which earlier failures are forgotten"),
  "pipeline.worker-heartbeat-timeout": duration(SECOND, HOUR)(30 * SECOND, "a worker silent for longer is taken to be lost"),
  "pipeline.worker-startup-time": duration(SECOND, HOUR)(10 * MINUTE, "time workers have to register after a start"),
  "pipeline.task-startup-time": duration(SECOND, HOUR)(2 * MINUTE, "time tasks have to start after their worker registered"),
} as const;

const clusterSettings = {
  "state-dir": optionalText("directory of \"wadi cluster\": database, logs, workers' records; wadi in the user's state directory if empty"),
  "cluster.stop-timeout": duration(SECOND, HOUR)(MINUTE, "time that Ctrl-C gives workers for their last checkpoint"),
  "process.slots": integer(1, 65_536)(1_024, "slots of all workers of the process scheduler together"),
  "process.niceness": integer(0, 19)(5, "how far workers on this machine stand back for the controller and the database"),
  "process.slots-per-process": integer(1, 1_024)(16, "slots of one worker process of the process scheduler"),
} as const;

const serviceSettings = {
  hostname: optionalText("name under which other machines reach this process; its bind address if empty"),
  "controller-endpoint": text("http://localhost:5116", "where workers and nodes find the controller; several with commas"),
  "api-endpoint": text("http://localhost:5115", "where command-line tools find the API"),
  "api.bind-address": text("127.0.0.1", "address the API and the UI listen on"),
  "api.http-port": port(5115, "port of the API and the UI"),
  "api.allowed-hosts": textList([], "names besides those of loopback that browsers may call the API by"),
  "api.session-token": secret("token of the UI's session, as the start-up link carries it; made at start-up if empty"),
  "controller.bind-address": text("127.0.0.1", "address the controller listens on"),
  "controller.rpc-port": port(5116, "port of the controller's gRPC service"),
  "controller.scheduler": choice(SCHEDULERS)("process", "how workers are started"),
  "admin.bind-address": text("127.0.0.1", "address of health and metrics"),
  "admin.http-port": port(5114, "port of health and metrics of api, controller and node"),
  "node.bind-address": text("127.0.0.1", "address the node daemon listens on"),
  "node.rpc-port": port(5118, "port of the node daemon"),
  "node.task-slots": integer(1, 1_024)(16, "slots the node daemon offers"),
  "worker.bind-address": text("127.0.0.1", "address of a worker's data plane and admin port"),
  "worker.rpc-port": port(0, "port of a worker's control service; 0 lets the system choose"),
  "worker.data-port": port(0, "port of a worker's data plane; 0 lets the system choose"),
  "worker.task-slots": integer(1, 1_024)(16, "slots of one worker process"),
  "worker.orphan-timeout": duration(SECOND, DAY)(5 * MINUTE, "a worker whose lease no controller renewed for this long ends itself"),
  "worker.controller-absence-limit": duration(SECOND, DAY)(MINUTE, "a worker goes on without a controller for this long, then pauses"),
} as const;

const executionSettings = {
  "connectors.file.roots": textList(["."], "directories that file connectors may reach, relative to the working directory"),
  "udf.timeout": duration(1, HOUR)(10 * SECOND, "a user's function may take this long for one batch"),
  "compiler.optimize-level": integer(0, 3)(3, "AssemblyScript's optimisation level"),
  "compiler.shrink-level": integer(0, 2)(0, "AssemblyScript's size level"),
  "compiler.timeout": duration(SECOND, HOUR)(MINUTE, "time one compilation may take"),
  "compiler.memory-limit": byteSize(128 * MIB, 64 * GIB)(2 * GIB, "memory of the compiler's thread"),
  "compiler.cache-dir": optionalText("directory of compiled artifacts; .cache/wadi in the user's home if empty"),
  "compiler.artifact-url": optionalText("where artifacts for workers are kept; beside the checkpoints if empty"),
  "logging.level": choice(LOG_LEVELS)("info", "least urgent level that is written"),
  "logging.format": choice(LOG_FORMATS)("plaintext", "how log lines are written"),
  "logging.file-size": byteSize(2 ** 16, 4 * GIB)(10 * MIB, "a log file of the cluster that is larger is put aside"),
  "logging.files-kept": integer(1, 1_000)(5, "how many log files of each process of the cluster are kept"),
} as const;

const databaseSettings = {
  "database.type": choice(["embedded", "postgres"])("embedded", "a server of one's own or the embedded PostgreSQL of a laptop"),
  "database.postgres.host": text("localhost", "host or unix socket directory of the server"),
  "database.postgres.port": port(5432, "port of the server"),
  "database.postgres.database-name": text("wadi", "database to use"),
  "database.postgres.user": text("wadi", "role to log in as"),
  "database.postgres.password": secret("password of the role"),
  "database.postgres.schema": optionalText("schema of Wadi's tables; the role's default if empty"),
  "database.postgres.tls.mode": choice(["no-tls", "skip-verification", "system-roots", "ca-cert"])("no-tls", "how the server is verified"),
  "database.postgres.tls.ca-cert": optionalText("file of the certificate authority for tls.mode ca-cert"),
} as const;

const outsideSettings = {
  "prometheus.endpoint": optionalText("URL of the Prometheus server that the API queries"),
  "prometheus.basic-auth": secret("user:password for Prometheus"),
  "nomad.address": text("http://127.0.0.1:4646", "URL of the Nomad HTTP API"),
  "nomad.unix-address": optionalText("unix socket of Nomad's task API; preferred to the address"),
  "nomad.token": secret("ACL token or workload identity"),
  "nomad.region": optionalText("region of worker jobs"),
  "nomad.namespace": text("default", "namespace of worker jobs"),
  "nomad.datacenters": textList(["*"], "data centres of worker jobs"),
  "nomad.ca-cert": optionalText("file of the certificate authority of Nomad's API"),
  "nomad.client-cert": optionalText("file of the client certificate"),
  "nomad.client-key": optionalText("file of the client certificate's key"),
  "nomad.tls-server-name": optionalText("server name to expect in Nomad's certificate"),
  "nomad.skip-verify": flag(false, "whether Nomad's certificate is accepted unseen"),
} as const;

/** The table of settings, in the order in which they are printed. */
export const SETTINGS = {
  ...checkpointSettings,
  ...pipelineSettings,
  ...clusterSettings,
  ...serviceSettings,
  ...executionSettings,
  ...databaseSettings,
  ...outsideSettings,
} as const;

/** Other names of settings, for configurations written for Arroyo or from the design's words. */
export const SETTING_ALIASES: Readonly<Record<string, keyof typeof SETTINGS>> = {
  scheduler: "controller.scheduler",
  "checkpoint.interval": "default-checkpoint-interval",
  "pipeline.update-aggregate-flush-interval": "pipeline.update-flush-interval",
  "pipeline.checkpoint.timeout": "checkpoint.timeout",
  "controller-absence-limit": "worker.controller-absence-limit",
};

/** Settings of Arroyo that have no meaning here: accepted with a warning, so that its files can be moved over as they are. */
export const RETIRED_SETTINGS: Readonly<Record<string, string>> = {
  "disable-telemetry": "Wadi sends no telemetry.",
  "compiler.install-clang": "Wadi needs no C compiler.",
  "compiler.install-rustc": "Wadi needs no Rust compiler.",
  "compiler.use-local-udf-crate": "Functions are written in TypeScript.",
  "compiler.rpc-port": "The compiler is a thread of the controller.",
  "pipeline.chaining.enabled": "Operators are always chained.",
};

/**
 * Environment variables without the `WADI__` prefix and the settings they give; a fixed value is set beside. Inside a Nomad task many more
 * names start with `NOMAD_`: only these are read.
 */
export const LEGACY_VARIABLES: Readonly<Record<string, { setting: keyof typeof SETTINGS; implies?: Readonly<Record<string, string>> }>> = {
  CHECKPOINT_URL: { setting: "checkpoint-url" },
  SCHEDULER: { setting: "controller.scheduler" },
  DATABASE_NAME: { setting: "database.postgres.database-name" },
  DATABASE_HOST: { setting: "database.postgres.host", implies: { "database.type": "postgres" } },
  DATABASE_PORT: { setting: "database.postgres.port" },
  DATABASE_USER: { setting: "database.postgres.user" },
  DATABASE_PASSWORD: { setting: "database.postgres.password" },
  PROM_ENDPOINT: { setting: "prometheus.endpoint" },
  PROM_AUTH: { setting: "prometheus.basic-auth" },
  NOMAD_ENDPOINT: { setting: "nomad.address" },
  NOMAD_ADDR: { setting: "nomad.address" },
  NOMAD_UNIX_ADDR: { setting: "nomad.unix-address" },
  NOMAD_TOKEN: { setting: "nomad.token" },
  NOMAD_REGION: { setting: "nomad.region" },
  NOMAD_NAMESPACE: { setting: "nomad.namespace" },
  NOMAD_DC: { setting: "nomad.datacenters" },
  NOMAD_CACERT: { setting: "nomad.ca-cert" },
  NOMAD_CLIENT_CERT: { setting: "nomad.client-cert" },
  NOMAD_CLIENT_KEY: { setting: "nomad.client-key" },
  NOMAD_TLS_SERVER_NAME: { setting: "nomad.tls-server-name" },
  NOMAD_SKIP_VERIFY: { setting: "nomad.skip-verify" },
};
