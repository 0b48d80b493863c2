/**
 * Every setting of Wadi by the one name it has in TOML, in errors and in code (`config["pipeline.source-batch-size"]`); the environment
 * variable is `WADI__PIPELINE__SOURCE_BATCH_SIZE`. Names follow Arroyo's where it has the setting. How they are read is in `config.ts`.
 */
import { LOG_FORMATS, LOG_LEVELS } from "./log.ts";
import {
  byteSize,
  choice,
  duration,
  flag,
  integer,
  optionalText,
  port,
  secret,
  tableList,
  text,
  textList,
  textTable,
  treeTable,
} from "./setting.ts";

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
  "process.builds": optionalText(
    "directory of other builds for workers of processes and nodes, each by its name; builds in the state directory if empty",
  ),
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
  "node.token": secret("token that node daemons and controllers show each other; needed where either listens beyond loopback"),
  "node.token-file": optionalText("file of node.token; preferred to it"),
  "node.lease": duration(500, HOUR)(10 * SECOND, "a node that is silent for longer is lost"),
  "node.drain-timeout": duration(SECOND, DAY)(5 * MINUTE, "time that draining a node gives its workers; then they are killed"),
  "worker.bind-address": text("127.0.0.1", "address of a worker's data plane and admin port"),
  "worker.rpc-port": port(0, "port of a worker's control service; 0 lets the system choose"),
  "worker.data-port": port(0, "port of a worker's data plane; 0 lets the system choose"),
  "worker.task-slots": integer(1, 1_024)(16, "slots of one worker process"),
  "worker.orphan-timeout": duration(SECOND, DAY)(5 * MINUTE, "a worker whose lease no controller renewed for this long ends itself"),
  "worker.controller-absence-limit": duration(SECOND, DAY)(MINUTE, "a worker goes on without a controller for this long, then pauses"),
} as const;

const tlsSettings = {
  "tls.mode": choice(["auto", "on", "off"])(
    "auto",
    "whether controllers and workers speak TLS; auto: where they are bound beyond loopback",
  ),
  "tls.certificate": optionalText("file with the certificate of this controller; one of the cluster's own authority if empty"),
  "tls.key": optionalText("file with the key of tls.certificate"),
  "tls.ca": optionalText("file with the authority of controllers' certificates, for workers and nodes; the cluster's own if empty"),
} as const;

const executionSettings = {
  "connectors.file.roots": textList(["."], "directories that file connectors may reach, relative to the working directory"),
  "connectors.secret.roots": textList(["/run/secrets"], "directories in which tables' secrets, as {{ file:/path }}, are found"),
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
  "prometheus.token": secret("bearer token for Prometheus, instead of user and password"),
  "prometheus.token-file": optionalText("file of prometheus.token, read again for every query; preferred to it"),
  "prometheus.timeout": duration(100, MINUTE)(3 * SECOND, "a query that takes longer is given up, and the built-in measurements are shown"),
  "metrics.pushgateway": optionalText("URL of the Pushgateway that workers push their metrics to; none if empty"),
  "metrics.push": flag(true, "whether workers push to the Pushgateway, if there is one"),
  "metrics.push-interval": duration(SECOND, HOUR)(15 * SECOND, "time between two pushes of a worker, besides the one at its end"),
  "metrics.push-linger": duration(0, DAY)(45 * SECOND, "how long the last numbers of a run that is over stay in the Pushgateway"),
  "nomad.address": text("http://127.0.0.1:4646", "URL of the Nomad HTTP API; several with commas are tried in turn"),
  "nomad.unix-address": optionalText("unix socket of Nomad's task API; preferred to the address"),
  "nomad.token": secret("ACL token or workload identity"),
  "nomad.region": optionalText("region of worker jobs"),
  "nomad.namespace": text("default", "namespace of worker jobs"),
  "nomad.ca-cert": optionalText("file of the certificate authority of Nomad's API"),
  "nomad.client-cert": optionalText("file of the client certificate"),
  "nomad.client-key": optionalText("file of the client certificate's key"),
  "nomad.tls-server-name": optionalText("server name to expect in Nomad's certificate"),
  "nomad.skip-verify": flag(false, "whether Nomad's certificate is accepted unseen"),
  "nomad.ui-address": optionalText("URL of Nomad's web interface in links; the first address if empty"),
} as const;

const nomadWorkerSettings = {
  "nomad.token-file": optionalText("file of the token, read again when it changes; preferred to the token"),
  "nomad.cluster-id": text("wadi", "tells the worker jobs of this installation from those of others in the same namespace"),
  "nomad.node-pool": text("default", "node pool of worker jobs"),
  "nomad.priority": integer(1, 100)(50, "priority of worker jobs"),
  "nomad.driver": choice(["docker", "exec", "raw_exec"])("docker", "task driver of workers"),
  "nomad.image": optionalText("image of workers by digest, for the driver docker; attributes of the node may be part of it"),
  "nomad.artifact": optionalText("URL of Wadi's archive, for exec and raw_exec; attributes of the node may be part of it"),
  "nomad.artifact-checksum": optionalText("checksum of the archive: sha256:…, or file:URL of a list of checksums"),
  "nomad.command": textList([], 'program and words that start a worker; the image\'s own and "worker", or local/wadi/bin/wadi worker'),
  "nomad.user": optionalText("user that workers run as; the driver's default if empty"),
  "nomad.slots-per-worker": integer(1, 1_024)(4, "slots of one worker at most; all workers of a run have the same number"),
  "nomad.mhz-per-slot": integer(1, 1_000_000)(1_000, "MHz reserved per slot"),
  "nomad.cores-per-slot": integer(0, 64)(0, "whole cores reserved per slot instead of MHz; 0: none"),
  "nomad.memory-per-slot": byteSize(0, 64 * GIB)(0, "memory reserved per slot; 0: all that a slot may use"),
  "nomad.memory-max-per-slot": byteSize(0, 64 * GIB)(
    0,
    "memory a slot may take where Nomad allows more than is reserved; 0: what is reserved",
  ),
  "nomad.disk": byteSize(256 * MIB, 1_024 * GIB)(GIB, "disk reserved for a worker's logs and artifacts"),
  "nomad.datacenters": textList(["*"], "data centres of worker jobs"),
  "nomad.constraints": textList([], 'constraints on nodes, each "attribute operator value"'),
  "nomad.affinities": textList([], 'preferences for nodes, each "weight attribute operator value", weight from -100 to 100'),
  "nomad.spread": textList([], "attributes over whose values workers of a run are spread, such as node.datacenter"),
  "nomad.distinct-hosts": flag(false, "whether no two workers of a run may be on one node"),
  "nomad.network-mode": choice(["host", "bridge"])("host", "network of worker allocations"),
  "nomad.kill-timeout": duration(SECOND, HOUR)(30 * SECOND, "time between a worker's signal to end and its end; clients cap it"),
  "nomad.environment": textList([], 'environment of workers besides their own, each "NAME=value"; no secrets'),
  "nomad.aws-role-arn": optionalText("role at AWS that workers take on by their workload identity; none if empty"),
  "nomad.secrets": textList(
    [],
    'environment of workers out of Nomad\'s variables, each "NAME=path#key"; their jobs must be allowed to read them',
  ),
  "nomad.host-volumes": textList([], 'host volumes that workers see, each "name:/destination" or "name:/destination:ro"'),
  "nomad.job-template": optionalText("file of an operator's own job in HCL, to which what Wadi needs is added"),
  "nomad.template-variables": textList([], 'variables of the job template, each "name=value"'),
  "nomad.console-address": optionalText("URL of Wadi's web interface in Nomad's; no link if empty"),
  "nomad.runs-to-keep": integer(0, 1_000)(3, "ended runs of a job that Nomad shall remember"),
  "nomad.preflight": flag(true, "whether a run that does not fit now waits here; false: it waits in Nomad, where an autoscaler sees it"),
  "nomad.resync-interval": duration(5 * SECOND, HOUR)(45 * SECOND, "time between two complete looks at Nomad, besides its events"),
} as const;

/** Taints that say that a machine goes away soon: AWS spot notice, Karpenter, Google's spot notice, the cluster autoscaler. */
const DRAIN_TAINTS = [
  "aws-node-termination-handler/spot-itn",
  "karpenter.sh/disrupted",
  "cloud.google.com/impending-node-termination",
  "ToBeDeletedByClusterAutoscaler",
] as const;

/** What a pipeline may change of its workers' Job; a path allows all below it. */
const OVERLAY_ALLOWED = [
  "metadata.labels",
  "metadata.annotations",
  "spec.ttlSecondsAfterFinished",
  "spec.template.metadata.labels",
  "spec.template.metadata.annotations",
  "spec.template.spec.affinity",
  "spec.template.spec.nodeSelector",
  "spec.template.spec.priorityClassName",
  "spec.template.spec.terminationGracePeriodSeconds",
  "spec.template.spec.tolerations",
  "spec.template.spec.topologySpreadConstraints",
  "spec.template.spec.containers.worker.resources",
] as const;

const kubernetesSettings = {
  "kubernetes.kubeconfig": optionalText("kubeconfig file; $KUBECONFIG, ~/.kube/config or the pod's service account if empty"),
  "kubernetes.context": optionalText("context of the kubeconfig; its current one if empty"),
  "kubernetes.namespace": optionalText("namespace of worker Jobs; the context's if empty"),
  "kubernetes.cluster-name": text("wadi", "tells the Jobs of this Wadi from those of another in the same namespace"),
  "kubernetes.watch-nodes": flag(true, "whether nodes are watched, for drains and capacity; needs a ClusterRole"),
  "kubernetes.preflight": flag(
    false,
    "whether a run that does not fit now waits here; false: its pods wait, where an autoscaler sees them",
  ),
  "kubernetes.drain-taints": textList(DRAIN_TAINTS, "keys of taints that mean that a node goes away; cordons and NoExecute always do"),
  "kubernetes.resource-mode": choice(["per-slot", "per-pod"])("per-slot", "whether worker.cpu and worker.memory are of a slot or of a pod"),
  "kubernetes.job-ttl": duration(SECOND, 30 * DAY)(HOUR, "how long a finished Job and its logs are kept"),
  "kubernetes.worker.name-prefix": text("w", "beginning of the names of worker Jobs"),
  "kubernetes.worker.image": optionalText("image of workers, by digest in production; must be set"),
  "kubernetes.worker.image-pull-policy": choice(["IfNotPresent", "Always", "Never"])("IfNotPresent", "when the image is pulled"),
  "kubernetes.worker.image-pull-secrets": textList([], "names of secrets for pulling the image"),
  "kubernetes.worker.service-account-name": optionalText("service account of workers; the namespace's default if empty"),
  "kubernetes.worker.command": textList([], "command line of a worker; the image's own entry point with the word worker if empty"),
  "kubernetes.worker.labels": textTable({}, "labels of worker Jobs and pods"),
  "kubernetes.worker.annotations": textTable({}, "annotations of worker Jobs and pods"),
  "kubernetes.worker.env": textTable({}, "environment of workers; no secrets"),
  "kubernetes.worker.cpu": optionalText("processors as Kubernetes writes them, such as 900m; one per slot if empty"),
  "kubernetes.worker.memory": optionalText(
    "memory as Kubernetes writes it, such as 2Gi; what a slot may use and a share of the worker's own if empty",
  ),
  "kubernetes.worker.node-selector": textTable({}, "labels that a node must have"),
  "kubernetes.worker.tolerations": tableList([], "taints that workers bear, as in a pod's tolerations"),
  "kubernetes.worker.volumes": tableList([], "more volumes, as in a pod's volumes"),
  "kubernetes.worker.volume-mounts": tableList([], "where they are mounted, as in a container's volumeMounts"),
  "kubernetes.worker.priority-class": optionalText("priority class of worker pods"),
  "kubernetes.worker.topology-spread": choice(["preferred", "required", "none"])("preferred", "workers of a run over zones and hosts"),
  "kubernetes.worker.termination-grace": duration(SECOND, HOUR)(
    60 * SECOND,
    "time a worker has for its last checkpoint when its pod is deleted",
  ),
  "kubernetes.worker.overlay": treeTable({}, "merged into every worker Job, without limits: the operator's own"),
  "kubernetes.worker.overlay-allowed": textList(OVERLAY_ALLOWED, "paths that a pipeline's own overlay may change"),
} as const;

/** The table of settings, in the order in which they are printed. */
export const SETTINGS = {
  ...checkpointSettings,
  ...pipelineSettings,
  ...clusterSettings,
  ...serviceSettings,
  ...tlsSettings,
  ...executionSettings,
  ...databaseSettings,
  ...outsideSettings,
  ...kubernetesSettings,
  ...nomadWorkerSettings,
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
  PROM_TOKEN: { setting: "prometheus.token" },
  PUSHGATEWAY_URL: { setting: "metrics.pushgateway" },
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
