variable "jobs" {
  type        = list(string)
  description = "Which jobs are run, of api, autoscaler, backup, controller, grafana, node, postgres, prefetch, prometheus, pushgateway, s3."
  default     = ["postgres", "controller", "api", "prometheus", "pushgateway"]
}

variable "namespace" {
  type        = string
  description = "Namespace of the job and of the workers' jobs."
  default     = "default"
}

variable "datacenters" {
  type        = list(string)
  description = "Data centres whose nodes may run it."
  default     = ["*"]
}

variable "api_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "driver" {
  type        = string
  description = "Task driver: docker, exec or raw_exec."
  default     = "docker"
}

variable "image" {
  type        = string
  description = "Image of Wadi by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "artifact" {
  type        = string
  description = "URL of Wadi's package, for exec and raw_exec, as npm run package makes it; empty: command is on the nodes already."
  default     = ""
}

variable "artifact_checksum" {
  type        = string
  description = "Checksum of the package: sha256:…, or file:URL of a list of checksums."
  default     = ""
}

variable "command" {
  type        = string
  description = "Program of Wadi on the nodes, for exec and raw_exec without a package."
  default     = "wadi"
}

variable "arguments" {
  type        = list(string)
  description = "Words between the program and the subcommand."
  default     = []
}

variable "settings" {
  type        = map(string)
  description = "Settings of Wadi by their names, such as {\"checkpoint-url\" = \"s3://…\"}. No secrets: those are in the variable of this job."
  default     = {}
}

variable "environment" {
  type        = map(string)
  description = "Environment variables besides, such as those of the AWS SDK; no secrets."
  default     = {}
}

variable "database_host" {
  type        = string
  description = "Host of PostgreSQL; empty: the service wadi-postgres of this namespace."
  default     = ""
}

variable "database_port" {
  type        = number
  description = "Port of PostgreSQL, if database_host is set."
  default     = 5432
}

variable "database_name" {
  type        = string
  description = "Database of Wadi."
  default     = "wadi"
}

variable "database_user" {
  type        = string
  description = "Role that Wadi logs in as."
  default     = "wadi"
}

variable "database_ca_url" {
  type        = string
  description = "URL of the authority's certificates (PEM) that sign PostgreSQL's, such as those of RDS; with it the connection is TLS and verified."
  default     = ""
}

variable "api_aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = ""
}

variable "aws_region" {
  type        = string
  description = "Region of AWS that the task works in; empty: the SDK decides."
  default     = ""
}

variable "api_prometheus_url" {
  type        = string
  description = "URL of the Prometheus that the API queries; empty: the service wadi-prometheus of this namespace, if there is one."
  default     = ""
}

variable "api_port" {
  type        = number
  description = "Port of the API and the UI on its node; 0 lets Nomad choose."
  default     = 5115
}

variable "api_allowed_hosts" {
  type        = list(string)
  description = "Names besides addresses by which browsers call it."
  default     = []
}

variable "api_instances" {
  type        = number
  description = "Instances; on nodes of their own where the port is static."
  default     = 2
}

variable "api_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 300
}

variable "api_memory" {
  type        = number
  description = "MB reserved."
  default     = 512
}

variable "api_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "autoscaler_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "autoscaler_image" {
  type        = string
  description = "Image of the Nomad Autoscaler 0.4 or later by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "autoscaler_command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = "nomad-autoscaler"
}

variable "autoscaler_aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = ""
}

variable "autoscaler_group_name" {
  type        = string
  description = "Name of the auto-scaling group of the nodes that run workers."
  default     = ""
}

variable "autoscaler_workers_node_pool" {
  type        = string
  description = "Node pool of those nodes."
  default     = "default"
}

variable "autoscaler_minimum" {
  type        = number
  description = "Nodes at least."
  default     = 1
}

variable "autoscaler_maximum" {
  type        = number
  description = "Nodes at most."
  default     = 10
}

variable "autoscaler_slots_per_node" {
  type        = number
  description = "Slots that one node has room for: so many waiting slots are worth a node."
  default     = 8
}

variable "autoscaler_spare" {
  type        = number
  description = "Nodes more than are needed, so that runs which have to move find room at once."
  default     = 1
}

variable "autoscaler_calm" {
  type        = string
  description = "Time for which fewer slots must be needed before a node goes."
  default     = "15m"
}

variable "autoscaler_evaluation_interval" {
  type        = string
  description = "Time between two looks."
  default     = "20s"
}

variable "autoscaler_cooldown" {
  type        = string
  description = "Time after a change in which there is no other."
  default     = "3m"
}

variable "autoscaler_drain_deadline" {
  type        = string
  description = "Time that a drain gives runs to move."
  default     = "15m"
}

variable "autoscaler_prometheus_url" {
  type        = string
  description = "URL of Prometheus; empty: the service wadi-prometheus of this namespace."
  default     = ""
}

variable "autoscaler_dry_run" {
  type        = bool
  description = "Whether it only says what it would do."
  default     = false
}

variable "autoscaler_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 200
}

variable "autoscaler_memory" {
  type        = number
  description = "MB reserved."
  default     = 128
}

variable "autoscaler_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "backup_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "backup_postgres_image" {
  type        = string
  description = "Image of PostgreSQL, of the server's version or later: pg_dump by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "backup_programs" {
  type        = string
  description = "Directory of pg_dump and pg_restore on the node, for exec and raw_exec; of the server's version or later."
  default     = "/usr/lib/postgresql/15/bin"
}

variable "backup_aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = ""
}

variable "backup_bucket_url" {
  type        = string
  description = "Where dumps go: s3://bucket/folder?region=… or any URL that checkpoint-url may be."
  default     = ""
}

variable "backup_schedule" {
  type        = string
  description = "When, as in a crontab."
  default     = "15 2 * * *"
}

variable "backup_time_zone" {
  type        = string
  description = "Time zone of the schedule."
  default     = "UTC"
}

variable "backup_keep" {
  type        = number
  description = "Dumps that are kept."
  default     = 14
}

variable "backup_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 300
}

variable "backup_memory" {
  type        = number
  description = "MB reserved."
  default     = 512
}

variable "backup_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "backup_disk" {
  type        = number
  description = "MB of the allocation's disk: a dump must fit."
  default     = 4096
}

variable "controller_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "controller_aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = ""
}

variable "controller_scheduler" {
  type        = string
  description = "How workers are started: nomad, as jobs of this Nomad, or node, by the daemons of node.nomad.hcl."
  default     = "nomad"
}

variable "controller_tls_files" {
  type        = bool
  description = "Whether certificate, private_key and authority (PEM) are in the variable of this job: else the controllers make their own."
  default     = false
}

variable "controller_push" {
  type        = bool
  description = "Whether workers push their metrics to the service wadi-pushgateway, if there is one."
  default     = true
}

variable "controller_instances" {
  type        = number
  description = "Controllers; two survive the loss of a node."
  default     = 2
}

variable "controller_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 500
}

variable "controller_memory" {
  type        = number
  description = "MB reserved."
  default     = 1024
}

variable "controller_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "grafana_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "grafana_image" {
  type        = string
  description = "Image of Grafana 10 or later by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "grafana_command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = "/usr/share/grafana/bin/grafana"
}

variable "grafana_home" {
  type        = string
  description = "Directory of Grafana's own files on the nodes, for exec and raw_exec."
  default     = "/usr/share/grafana"
}

variable "grafana_port" {
  type        = number
  description = "Port of Grafana on its node; 0 lets Nomad choose."
  default     = 3000
}

variable "grafana_root_url" {
  type        = string
  description = "URL by which browsers reach it, for links and sign-in; empty: its address."
  default     = ""
}

variable "grafana_prometheus_url" {
  type        = string
  description = "URL of the Prometheus that it shows; empty: the service wadi-prometheus of this namespace."
  default     = ""
}

variable "grafana_dashboards" {
  type        = map(string)
  description = "Dashboards, JSON text by file name, such as those of nomad/monitoring/dashboards; none by default."
  default     = {}
}

variable "grafana_anonymous" {
  type        = bool
  description = "Whether people may look, not change, without signing in."
  default     = false
}

variable "grafana_volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = ""
}

variable "grafana_data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = ""
}

variable "grafana_disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = 300
}

variable "grafana_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 200
}

variable "grafana_memory" {
  type        = number
  description = "MB reserved."
  default     = 256
}

variable "grafana_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "node_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "node_aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = ""
}

variable "node_tls_files" {
  type        = bool
  description = "Whether certificate, private_key and authority (PEM) are in the variable of this job: needed where tls.mode is not off."
  default     = false
}

variable "node_slots" {
  type        = number
  description = "Slots that each node offers."
  default     = 16
}

variable "node_port" {
  type        = number
  description = "Port of the daemon on its node; 0 lets Nomad choose."
  default     = 5118
}

variable "node_host" {
  type        = string
  description = "Name or address by which controllers call a node; node attributes may be part of it; empty: its address."
  default     = ""
}

variable "node_drain_seconds" {
  type        = number
  description = "Time that a drain gives workers to move, in seconds; Nomad's max_kill_timeout caps it."
  default     = 300
}

variable "node_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 2000
}

variable "node_memory" {
  type        = number
  description = "MB reserved: of the daemon and of all workers on the node."
  default     = 4096
}

variable "node_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "postgres_node_pool" {
  type        = string
  description = "Node pool of the node that has the data."
  default     = "default"
}

variable "postgres_node" {
  type        = string
  description = "Name of the one node that may run it, where its data is on the node itself; any if empty."
  default     = ""
}

variable "postgres_image" {
  type        = string
  description = "Image of PostgreSQL 15 or later by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "postgres_programs" {
  type        = string
  description = "Directory of initdb and postgres on the node, for exec and raw_exec."
  default     = "/usr/lib/postgresql/15/bin"
}

variable "postgres_volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = ""
}

variable "postgres_data_directory" {
  type        = string
  description = "Directory on the node for the data, for raw_exec; it is made if it is not there."
  default     = "/var/lib/wadi-postgres"
}

variable "postgres_user" {
  type        = string
  description = "System user that the server runs as, in the image or on the node; PostgreSQL refuses root. Empty, for raw_exec: the agent's own user."
  default     = "postgres"
}

variable "postgres_port" {
  type        = number
  description = "Port of the server on its node; 0 lets Nomad choose."
  default     = 0
}

variable "postgres_max_connections" {
  type        = number
  description = "Connections at a time: 10 per API and controller are used."
  default     = 100
}

variable "postgres_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 500
}

variable "postgres_memory" {
  type        = number
  description = "MB reserved."
  default     = 1024
}

variable "postgres_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "postgres_disk" {
  type        = number
  description = "MB of the allocation's disk: of the data where there is neither a volume nor a directory."
  default     = 2048
}

variable "prefetch_node_pool" {
  type        = string
  description = "Node pool of the nodes that run workers."
  default     = "default"
}

variable "prefetch_driver" {
  type        = string
  description = "Task driver: docker, exec or raw_exec."
  default     = "raw_exec"
}

variable "prefetch_image" {
  type        = string
  description = "Image of any image with a shell and a CA by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "prefetch_artifact" {
  type        = string
  description = "URL of the package wadi-worker, as npm run package makes it; node attributes such as $${attr.cpu.arch} may be part of it."
  default     = ""
}

variable "prefetch_artifact_checksum" {
  type        = string
  description = "Checksum of the package: sha256:…, or file:URL of a list of checksums."
  default     = ""
}

variable "prefetch_release" {
  type        = string
  description = "Name of the package's directory; empty: the first 16 digits of its checksum."
  default     = ""
}

variable "prefetch_directory" {
  type        = string
  description = "Directory on the nodes, for raw_exec; for docker and exec where the volume is mounted."
  default     = "/opt/wadi"
}

variable "prefetch_volume" {
  type        = string
  description = "Host volume for the packages (dynamic from Nomad 1.10, static before), for docker and exec, which need one."
  default     = ""
}

variable "prefetch_keep" {
  type        = number
  description = "Packages that are kept, the new one included: running workers may still use an old one."
  default     = 3
}

variable "prefetch_mark" {
  type        = string
  description = "Key of the node's metadata that says which package it has; empty: none, and no right is needed."
  default     = "wadi_worker"
}

variable "prefetch_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 200
}

variable "prefetch_memory" {
  type        = number
  description = "MB reserved."
  default     = 128
}

variable "prefetch_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "prometheus_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "prometheus_image" {
  type        = string
  description = "Image of Prometheus 2.37 or later by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "prometheus_command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = "/usr/bin/prometheus"
}

variable "prometheus_port" {
  type        = number
  description = "Port of Prometheus on its node; 0 lets Nomad choose."
  default     = 9090
}

variable "prometheus_workers_from" {
  type        = string
  description = "Who says where workers are: nomad, by its services, or api, by Wadi's list, which knows those of every scheduler."
  default     = "nomad"
}

variable "prometheus_nomad_servers" {
  type        = list(string)
  description = "Agents whose metrics are scraped, host:port; the agent of its own node if empty."
  default     = []
}

variable "prometheus_nomad_scheme" {
  type        = string
  description = "http or https, of Nomad's API."
  default     = "http"
}

variable "prometheus_nomad_ca_file" {
  type        = string
  description = "File on the nodes with the authority of Nomad's certificate, for https; the system's if empty."
  default     = ""
}

variable "prometheus_nomad_server_name" {
  type        = string
  description = "Name in the certificates of Nomad's agents, such as client.global.nomad, for https; their authority is then the item nomad_ca of this job's variable, unless nomad_ca_file names it."
  default     = ""
}

variable "prometheus_scrape_interval" {
  type        = string
  description = "Time between two scrapes."
  default     = "15s"
}

variable "prometheus_retention" {
  type        = string
  description = "How long samples are kept."
  default     = "15d"
}

variable "prometheus_rules" {
  type        = map(string)
  description = "Rules files, text by file name, such as those of nomad/monitoring/rules; none by default."
  default     = {}
}

variable "prometheus_volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = ""
}

variable "prometheus_data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = ""
}

variable "prometheus_disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = 4096
}

variable "prometheus_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 300
}

variable "prometheus_memory" {
  type        = number
  description = "MB reserved."
  default     = 512
}

variable "prometheus_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "pushgateway_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "pushgateway_image" {
  type        = string
  description = "Image of the Pushgateway by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "pushgateway_command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = "/usr/bin/prometheus-pushgateway"
}

variable "pushgateway_port" {
  type        = number
  description = "Port of the Pushgateway on its node; 0 lets Nomad choose."
  default     = 0
}

variable "pushgateway_volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = ""
}

variable "pushgateway_data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = ""
}

variable "pushgateway_disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = 300
}

variable "pushgateway_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 100
}

variable "pushgateway_memory" {
  type        = number
  description = "MB reserved."
  default     = 64
}

variable "pushgateway_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

variable "s3_node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
}

variable "s3_implementation" {
  type        = string
  description = "seaweedfs or garage."
  default     = "seaweedfs"
}

variable "s3_image" {
  type        = string
  description = "Image of SeaweedFS or Garage by digest, name@sha256:…, for the driver docker."
  default     = ""
}

variable "s3_command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec; empty: weed or garage."
  default     = ""
}

variable "s3_port" {
  type        = number
  description = "Port of the S3 API on its node; 0 lets Nomad choose."
  default     = 8333
}

variable "s3_bucket" {
  type        = string
  description = "Bucket that is made at the start, if it is not there."
  default     = "wadi"
}

variable "s3_region" {
  type        = string
  description = "Region that clients have to sign for."
  default     = "us-east-1"
}

variable "s3_volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = ""
}

variable "s3_data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = ""
}

variable "s3_disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = 10240
}

variable "s3_cpu" {
  type        = number
  description = "MHz reserved."
  default     = 500
}

variable "s3_memory" {
  type        = number
  description = "MB reserved."
  default     = 1024
}

variable "s3_memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}
