[[ if has "postgres" (var "jobs" .) -]]
# PostgreSQL for Wadi: one server, not replicated. For a laptop, a test cluster or an installation that accepts a restore from the nightly backup;
# production on AWS takes RDS. Its data is in a volume (docker, exec) or a directory of the node (raw_exec): pin it to that node.
#
# Before: nomad var put nomad/jobs/wadi-postgres password=…; another password is taken over at the next start, which changing it causes.
# Others find it as service wadi-postgres.

variable "namespace" {
  type        = string
  description = "Namespace of the job."
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
  description = "Node pool of the node that has the data."
  default     = [[ var "postgres_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.node_pool != "" && regex_replace(var.node_pool, "^[a-zA-Z0-9-_]{1,128}$", "") == ""
    error_message = "The node pool must be 1 to 128 letters, digits, hyphens and underscores."
  }
}

variable "node" {
  type        = string
  description = "Name of the one node that may run it, where its data is on the node itself; any if empty."
  default     = [[ var "postgres_node" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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
  description = "Image of PostgreSQL 15 or later by digest, name@sha256:…, for the driver docker."
  default     = [[ var "postgres_image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "programs" {
  type        = string
  description = "Directory of initdb and postgres on the node, for exec and raw_exec."
  default     = [[ var "postgres_programs" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.programs, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = [[ var "postgres_volume" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.volume, "^[A-Za-z0-9_-]*$", "") == ""
    error_message = "The volume must be named by letters, digits, hyphens and underscores."
  }
}

variable "data_directory" {
  type        = string
  description = "Directory on the node for the data, for raw_exec; it is made if it is not there."
  default     = [[ var "postgres_data_directory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.data_directory != "" && regex_replace(var.data_directory, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "user" {
  type        = string
  description = "System user that the server runs as, in the image or on the node; PostgreSQL refuses root. Empty, for raw_exec: the agent's own user."
  default     = [[ var "postgres_user" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.user, "^[a-z_][a-z0-9_-]*$", "") == ""
    error_message = "The user must be named by small letters, digits, hyphens and underscores."
  }
}

variable "port" {
  type        = number
  description = "Port of the server on its node; 0 lets Nomad choose."
  default     = [[ var "postgres_port" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "max_connections" {
  type        = number
  description = "Connections at a time: 10 per API and controller are used."
  default     = [[ var "postgres_max_connections" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.max_connections >= 20
    error_message = "There must be at least 20 connections."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "postgres_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "postgres_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "postgres_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory_max >= 0
    error_message = "MB must not be negative."
  }
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk: of the data where there is neither a volume nor a directory."
  default     = [[ var "postgres_disk" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.disk >= 10
    error_message = "MB must be at least 10."
  }
}

locals {
  # The driver docker fails late without one.
  image  = var.driver != "docker" || var.image != "" ? var.image : parseint("the driver docker needs the variable image", 10)
  raw    = var.driver == "raw_exec"
  volume = local.raw ? "" : var.volume
  data   = local.raw ? "${var.data_directory}/data" : local.volume != "" ? "/var/lib/wadi-postgres/data" : "$NOMAD_ALLOC_DIR/data/postgres"
  # Under raw_exec the task starts as the agent's user, because Nomad's own directories are that user's, and drops its rights itself.
  drop = local.raw && var.user != ""
  as   = local.drop ? "setpriv --reuid=${var.user} --regid=${var.user} --init-groups" : ""
  make = local.drop ? "install -d -o ${var.user} -m 700 \"$data\"" : "mkdir -p -m 700 \"$data\""
}

job "wadi-postgres" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"
  priority    = 80

  meta {
    managed_by = "wadi"
  }

  ui {
    description = "PostgreSQL of Wadi: pipelines, jobs and what users see."
  }

  dynamic "constraint" {
    for_each = var.node == "" ? [] : [var.node]
    content {
      attribute = node.unique.name
      value     = constraint.value
    }
  }

  group "postgres" {
    count = 1

    # Never two servers on the same data: a node that is away keeps its server.
    disconnect {
      lost_after = "24h"
      replace    = false
    }

    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "5s"
      healthy_deadline  = "3m"
      progress_deadline = "5m"
      auto_revert       = true
    }

    restart {
      attempts = 3
      interval = "5m"
      delay    = "10s"
      mode     = "delay"
    }

    reschedule {
      unlimited      = true
      delay          = "15s"
      delay_function = "exponential"
      max_delay      = "5m"
    }

    ephemeral_disk {
      sticky = true
      size   = var.disk
    }

    network {
      port "db" {
        static = var.port
      }
    }

    dynamic "volume" {
      for_each = local.volume == "" ? [] : [local.volume]
      labels   = ["data"]
      content {
        type   = "host"
        source = volume.value
      }
    }

    service {
      name     = "wadi-postgres"
      provider = "nomad"
      port     = "db"

      check {
        type     = "tcp"
        interval = "10s"
        timeout  = "2s"
        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    task "postgres" {
      driver = var.driver
      user   = local.raw ? "" : var.user
      # A fast shutdown: sessions are ended, everything is written.
      kill_signal  = "SIGINT"
      kill_timeout = "60s"

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image        = local.image
          network_mode = "host"
          shm_size     = 268435456
          entrypoint   = ["/bin/sh", "${NOMAD_TASK_DIR}/start.sh"]
        }
      }

      dynamic "config" {
        for_each = var.driver == "docker" ? [] : [1]
        content {
          command = "/bin/sh"
          args    = ["${NOMAD_TASK_DIR}/start.sh"]
        }
      }

      dynamic "volume_mount" {
        for_each = local.volume == "" ? [] : [1]
        content {
          volume      = "data"
          destination = "/var/lib/wadi-postgres"
        }
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/password"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/wadi-postgres\" }}{{ .password }}{{ end }}"
      }

      template {
        destination = "${NOMAD_TASK_DIR}/start.sh"
        change_mode = "noop"
        data        = <<-SCRIPT
          set -eu
          PATH=${var.driver == "docker" ? "" : "${var.programs}:"}$PATH
          data="${local.data}"
          cd /
          # One user of the database without a server: what it has to be before anybody can log in.
          alone() { ${local.as} postgres --single -D "$data" postgres >/dev/null; }
          if [ ! -s "$data/PG_VERSION" ]; then
            ${local.make}
            ${local.as} initdb --pgdata="$data" --username=wadi --pwfile=/dev/stdin --auth=scram-sha-256 --encoding=UTF8 --locale=C \
              < "$NOMAD_SECRETS_DIR/password"
            echo "host all wadi all scram-sha-256" >> "$data/pg_hba.conf"
            # initdb makes no database of the user's name.
            echo "CREATE DATABASE wadi" | alone
          fi
          # The data may be older than the password.
          printf "ALTER ROLE wadi PASSWORD '%s'\n" "$(sed "s/'/''/g" "$NOMAD_SECRETS_DIR/password")" | alone
          exec ${local.as} postgres -D "$data" -p "$NOMAD_PORT_db" -c listen_addresses="$NOMAD_IP_db" -c unix_socket_directories= \
            -c max_connections=${var.max_connections}
        SCRIPT
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
