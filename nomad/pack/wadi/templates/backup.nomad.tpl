[[ if has "backup" (var "jobs" .) -]]
# A dump of Wadi's database to S3 every night: pg_dump writes it to the allocation's disk, Wadi's own program stores it under the name of its time
# and deletes those beyond `keep`. Checkpoints are not in it: they are in S3 already. Restoring is in nomad/README.md.
#
# Before: nomad var put nomad/jobs/wadi-backup database_password=… [aws_access_key_id=… aws_secret_access_key=…]
# Now, not tonight: nomad job periodic force wadi-backup

variable "namespace" {
  type        = string
  description = "Namespace of the job and of the workers' jobs."
  default     = [[ var "namespace" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.namespace, "^[a-zA-Z0-9-]{1,128}$", "") == ""
    error_message = "The namespace must be 1 to 128 letters, digits and hyphens."
  }
}

variable "datacenters" {
  type        = list(string)
  description = "Data centres whose nodes may run it."
  default     = [[ var "datacenters" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = length(var.datacenters) > 0
    error_message = "There must be at least one data centre; [\"*\"] means all."
  }
}

variable "node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = [[ var "backup_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.node_pool != "" && regex_replace(var.node_pool, "^[a-zA-Z0-9-_]{1,128}$", "") == ""
    error_message = "The node pool must be 1 to 128 letters, digits, hyphens and underscores."
  }
}

variable "driver" {
  type        = string
  description = "Task driver: docker, exec or raw_exec."
  default     = [[ var "driver" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = contains(["docker", "exec", "raw_exec"], var.driver)
    error_message = "The driver must be docker, exec or raw_exec."
  }
}

variable "image" {
  type        = string
  description = "Image of Wadi by digest, name@sha256:…, for the driver docker."
  default     = [[ var "image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "artifact" {
  type        = string
  description = "URL of Wadi's package, for exec and raw_exec, as npm run package makes it; empty: command is on the nodes already."
  default     = [[ var "artifact" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.artifact, "^[a-z0-9]+:.*$", "") == ""
    error_message = "The package must be named by a URL."
  }
}

variable "artifact_checksum" {
  type        = string
  description = "Checksum of the package: sha256:…, or file:URL of a list of checksums."
  default     = [[ var "artifact_checksum" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.artifact_checksum, "^(sha256:[0-9a-f]{64}|file:.+)$", "") == ""
    error_message = "The checksum must be sha256: and 64 hexadecimal digits, or file: and a URL."
  }
}

variable "command" {
  type        = string
  description = "Program of Wadi on the nodes, for exec and raw_exec without a package."
  default     = [[ var "command" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.command != ""
    error_message = "The program must be named."
  }
}

variable "arguments" {
  type        = list(string)
  description = "Words between the program and the subcommand."
  default     = [[ var "arguments" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "settings" {
  type        = map(string)
  description = "Settings of Wadi by their names, such as {\"checkpoint-url\" = \"s3://…\"}. No secrets: those are in the variable of this job."
  default     = [[ var "settings" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = length([for name in keys(var.settings) : name if regex_replace(name, "^[a-z][a-z0-9.-]*$", "") != "" || regex_replace(name, "(password|token|auth)$", "") != name]) == 0
    error_message = "Settings are named as in wadi.toml, and secrets are none of them."
  }
}

variable "environment" {
  type        = map(string)
  description = "Environment variables besides, such as those of the AWS SDK; no secrets."
  default     = [[ var "environment" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = length([for name in keys(var.environment) : name if regex_replace(name, "^[A-Za-z_][A-Za-z0-9_]*$", "") != "" || regex_replace(name, "(?i)secret|password|token$|access_key", "") != name]) == 0
    error_message = "Environment variables have the names that shells allow, and secrets are none of them."
  }
}

variable "postgres_image" {
  type        = string
  description = "Image of PostgreSQL, of the server's version or later: pg_dump by digest, name@sha256:…, for the driver docker."
  default     = [[ var "backup_postgres_image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.postgres_image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "programs" {
  type        = string
  description = "Directory of pg_dump and pg_restore on the node, for exec and raw_exec; of the server's version or later."
  default     = [[ var "backup_programs" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.programs, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "database_host" {
  type        = string
  description = "Host of PostgreSQL; empty: the service wadi-postgres of this namespace."
  default     = [[ var "database_host" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "database_port" {
  type        = number
  description = "Port of PostgreSQL, if database_host is set."
  default     = [[ var "database_port" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.database_port >= 1 && var.database_port <= 65535
    error_message = "The port must be from 1 to 65535."
  }
}

variable "database_name" {
  type        = string
  description = "Database of Wadi."
  default     = [[ var "database_name" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.database_name != "" && regex_replace(var.database_name, "^[A-Za-z0-9_-]+$", "") == ""
    error_message = "The database must be named by letters, digits, hyphens and underscores."
  }
}

variable "database_user" {
  type        = string
  description = "Role that Wadi logs in as."
  default     = [[ var "database_user" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.database_user != "" && regex_replace(var.database_user, "^[A-Za-z0-9_-]+$", "") == ""
    error_message = "The role must be named by letters, digits, hyphens and underscores."
  }
}

variable "database_ca_url" {
  type        = string
  description = "URL of the authority's certificates (PEM) that sign PostgreSQL's, such as those of RDS; with it the connection is TLS and verified."
  default     = [[ var "database_ca_url" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.database_ca_url, "^[a-z0-9]+:.*$", "") == ""
    error_message = "The certificates must be named by a URL."
  }
}

variable "aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = [[ var "backup_aws_role_arn" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.aws_role_arn, "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", "") == ""
    error_message = "The role must be an ARN, arn:aws:iam::ACCOUNT:role/NAME."
  }
}

variable "aws_region" {
  type        = string
  description = "Region of AWS that the task works in; empty: the SDK decides."
  default     = [[ var "aws_region" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.aws_region, "^[a-z0-9-]*$", "") == ""
    error_message = "The region must be written like eu-central-1."
  }
}

variable "bucket_url" {
  type        = string
  description = "Where dumps go: s3://bucket/folder?region=… or any URL that checkpoint-url may be."
  default     = [[ var "backup_bucket_url" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.bucket_url, "^([a-z0-9]+:.+|/.+)$", "") == ""
    error_message = "The store must be named by a URL such as s3://bucket/backups."
  }
}

variable "schedule" {
  type        = string
  description = "When, as in a crontab."
  default     = [[ var "backup_schedule" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.schedule != "" && regex_replace(var.schedule, "^(@[a-z]+|[-0-9*/,A-Za-z]+( [-0-9*/,A-Za-z]+){4,6})$", "") == ""
    error_message = "The time must be written as in a crontab, such as 15 2 * * *."
  }
}

variable "time_zone" {
  type        = string
  description = "Time zone of the schedule."
  default     = [[ var "backup_time_zone" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.time_zone != ""
    error_message = "The time zone must be named."
  }
}

variable "keep" {
  type        = number
  description = "Dumps that are kept."
  default     = [[ var "backup_keep" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.keep >= 1
    error_message = "At least one dump must be kept."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "backup_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "backup_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "backup_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory_max >= 0
    error_message = "MB must not be negative."
  }
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk: a dump must fit."
  default     = [[ var "backup_disk" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.disk >= 10
    error_message = "MB must be at least 10."
  }
}

locals {
  unpacked = "${NOMAD_TASK_DIR}/wadi/bin/wadi"
  command  = var.artifact == "" ? var.command : local.unpacked
  # The driver docker fails late without one.
  image = var.driver != "docker" || var.image != "" ? var.image : parseint("the driver docker needs the variable image", 10)
  settings = join("\n", concat(["# Settings of Wadi"], [
    for name, value in var.settings : "WADI__${upper(replace(replace(name, ".", "__"), "-", "_"))}=${jsonencode(value)}"
  ]))
  aws = merge(var.aws_region == "" ? {} : { AWS_REGION = var.aws_region }, var.aws_role_arn == "" ? {} : {
    AWS_ROLE_ARN                = var.aws_role_arn
    AWS_WEB_IDENTITY_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/nomad_aws.jwt"
  })
  store = var.bucket_url != "" ? var.bucket_url : parseint("the backup needs the variable bucket_url, such as s3://bucket/backups", 10)
  # The driver docker fails late without one.
  dumper = var.driver != "docker" || var.postgres_image != "" ? var.postgres_image : parseint("the driver docker needs the variable postgres_image", 10)
  words  = ["objects", "put", "--from", "${NOMAD_ALLOC_DIR}/data/wadi.dump", "--to", local.store, "--name", "wadi-{time}.dump", "--keep", "${var.keep}"]
  tls = var.database_ca_url == "" ? {} : {
    PGSSLMODE     = "verify-full"
    PGSSLROOTCERT = "${NOMAD_TASK_DIR}/database-ca.pem"
  }
}

job "wadi-backup" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "batch"
  priority    = 60

  meta {
    managed_by = "wadi"
  }

  ui {
    description = "Nightly dump of Wadi's database to S3."
  }

  periodic {
    crons            = [var.schedule]
    time_zone        = var.time_zone
    prohibit_overlap = true
  }

  group "backup" {
    count = 1

    restart {
      attempts = 3
      interval = "1h"
      delay    = "1m"
      mode     = "fail"
    }

    reschedule {
      attempts       = 3
      interval       = "6h"
      delay          = "5m"
      delay_function = "exponential"
      max_delay      = "1h"
      unlimited      = false
    }

    ephemeral_disk {
      size = var.disk
    }

    task "dump" {
      lifecycle {
        hook = "prestart"
      }

      driver = var.driver

      kill_signal  = "SIGTERM"
      kill_timeout = "15s"

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image        = local.dumper
          network_mode = "host"
          entrypoint   = ["/bin/sh", "${NOMAD_TASK_DIR}/dump.sh"]
        }
      }

      dynamic "config" {
        for_each = var.driver == "docker" ? [] : [1]
        content {
          command = "/bin/sh"
          args    = ["${NOMAD_TASK_DIR}/dump.sh"]
        }
      }

      dynamic "artifact" {
        for_each = var.database_ca_url == "" ? [] : [var.database_ca_url]
        content {
          source      = artifact.value
          destination = "local/database-ca.pem"
          mode        = "file"
        }
      }

      env = merge(local.tls, {
        PGDATABASE        = var.database_name
        PGUSER            = var.database_user
        PGCONNECT_TIMEOUT = "10"
      })

      template {
        destination = "${NOMAD_SECRETS_DIR}/postgres.env"
        env         = true
        change_mode = "noop"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-backup" }}PGPASSWORD={{ .database_password }}
          {{ end }}
          %{if var.database_host == ""~}
          {{ range nomadService "wadi-postgres" }}PGHOST={{ .Address }}
          PGPORT={{ .Port }}
          {{ else }}PGHOST=wadi-postgres.invalid
          {{ end }}
          %{else~}
          PGHOST=${var.database_host}
          PGPORT=${var.database_port}
          %{endif~}
        ENV
      }

      template {
        destination = "${NOMAD_TASK_DIR}/dump.sh"
        change_mode = "noop"
        data        = <<-SCRIPT
          set -eu
          PATH=${var.driver == "docker" ? "" : "${var.programs}:"}$PATH
          file="$NOMAD_ALLOC_DIR/data/wadi.dump"
          pg_dump --format=custom --no-owner --no-privileges --file="$file"
          # What cannot be listed cannot be restored.
          echo "dumped $(pg_restore --list "$file" | grep -c 'TABLE DATA') tables, $(wc -c < "$file") bytes"
        SCRIPT
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }

    task "store" {
      driver = var.driver

      kill_signal  = "SIGTERM"
      kill_timeout = "15s"

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image           = local.image
          args            = local.words
          network_mode    = "host"
          init            = true
          cap_drop        = ["all"]
          readonly_rootfs = true
        }
      }

      dynamic "config" {
        for_each = var.driver == "docker" ? [] : [1]
        content {
          command = local.command
          args    = concat(var.arguments, local.words)
        }
      }

      dynamic "artifact" {
        for_each = var.driver == "docker" || var.artifact == "" ? [] : [var.artifact]
        content {
          source      = artifact.value
          destination = "local/wadi"
          dynamic "options" {
            for_each = var.artifact_checksum == "" ? [] : [var.artifact_checksum]
            content {
              checksum = options.value
            }
          }
        }
      }

      # STS of AWS takes it for the rights of the role: no key lies anywhere.
      dynamic "identity" {
        for_each = var.aws_role_arn == "" ? [] : [1]
        content {
          name        = "aws"
          aud         = ["sts.amazonaws.com"]
          file        = true
          ttl         = "24h"
          change_mode = "noop"
        }
      }

      env = merge(local.aws, {
        WADI__LOGGING__FORMAT = "json"
      }, var.environment)

      # Not in env, where Nomad would fill in attributes of this node that are meant for workers' nodes.
      template {
        destination     = "${NOMAD_TASK_DIR}/settings.env"
        env             = true
        change_mode     = "noop"
        left_delimiter  = "[[ "[[[" ]]"
        right_delimiter = "]]]"
        data            = local.settings
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/wadi.env"
        env         = true
        change_mode = "noop"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-backup" }}
          {{ with .aws_access_key_id }}AWS_ACCESS_KEY_ID={{ . }}
          {{ end }}{{ with .aws_secret_access_key }}AWS_SECRET_ACCESS_KEY={{ . }}
          {{ end }}{{ end }}
        ENV
      }

      resources {
        cpu        = var.cpu
        memory     = var.memory
        memory_max = var.memory_max == 0 ? null : var.memory_max
      }
    }
  }
}
[[ end ]]
