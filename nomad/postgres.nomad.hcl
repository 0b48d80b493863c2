# PostgreSQL for Wadi: one server, not replicated. For a laptop, a test cluster or an installation that accepts a restore from the nightly backup;
# production on AWS takes RDS. Its data is in a volume (docker, exec) or a directory of the node (raw_exec): pin it to that node.
#
# Before: nomad var put nomad/jobs/wadi-postgres password=…
# Others find it as service wadi-postgres.

variable "namespace" {
  type        = string
  description = "Namespace of the job."
  default     = "default"
}

variable "datacenters" {
  type        = list(string)
  description = "Data centres whose nodes may run it."
  default     = ["*"]
}

variable "node_pool" {
  type        = string
  description = "Node pool of the node that has the data."
  default     = "default"
}

variable "node" {
  type        = string
  description = "Name of the one node that may run it, where its data is on the node itself; any if empty."
  default     = ""
}

variable "driver" {
  type        = string
  description = "Task driver: docker, exec or raw_exec."
  default     = "docker"
  validation {
    condition     = contains(["docker", "exec", "raw_exec"], var.driver)
    error_message = "The driver must be docker, exec or raw_exec."
  }
}

variable "image" {
  type        = string
  description = "Image of PostgreSQL 15 or later by digest, name@sha256:…, for the driver docker."
  default     = ""
  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "programs" {
  type        = string
  description = "Directory of initdb and postgres on the node, for exec and raw_exec."
  default     = "/usr/lib/postgresql/15/bin"
}

variable "volume" {
  type        = string
  description = "Host volume for the data (dynamic from Nomad 1.10, static before), for docker and exec; the allocation's own disk if empty."
  default     = ""
}

variable "data_directory" {
  type        = string
  description = "Directory on the node for the data, for raw_exec; it is made if it is not there."
  default     = "/var/lib/wadi-postgres"
}

variable "user" {
  type        = string
  description = "System user that the server runs as, in the image or on the node; PostgreSQL refuses root."
  default     = "postgres"
}

variable "port" {
  type        = number
  description = "Port of the server on its node; 0 lets Nomad choose."
  default     = 0
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "max_connections" {
  type        = number
  description = "Connections at a time: 10 per API and controller are used."
  default     = 100
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = 500
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = 1024
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk: of the data where there is neither a volume nor a directory."
  default     = 2048
}

locals {
  raw  = var.driver == "raw_exec"
  data = local.raw ? "${var.data_directory}/data" : var.volume != "" ? "/var/lib/wadi-postgres/data" : "$NOMAD_ALLOC_DIR/data/postgres"
  # Under raw_exec the task starts as root, because Nomad's own directories are root's, and drops its rights itself.
  as   = local.raw ? "setpriv --reuid=${var.user} --regid=${var.user} --init-groups" : ""
  make = local.raw ? "install -d -o ${var.user} -m 700 \"$data\"" : "mkdir -p -m 700 \"$data\""
}

job "wadi-postgres" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"
  priority    = 80

  ui {
    description = "PostgreSQL of Wadi: pipelines, jobs and what users see."
  }

  dynamic "constraint" {
    for_each = var.node == "" ? [] : [var.node]
    content {
      attribute = "${node.unique.name}"
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
      for_each = var.volume == "" ? [] : [var.volume]
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
          image        = var.image
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
        for_each = var.volume == "" ? [] : [1]
        content {
          volume      = "data"
          destination = "/var/lib/wadi-postgres"
        }
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/password"
        change_mode = "noop"
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
          if [ ! -s "$data/PG_VERSION" ]; then
            ${local.make}
            ${local.as} initdb --pgdata="$data" --username=wadi --pwfile=/dev/stdin --auth=scram-sha-256 --encoding=UTF8 --locale=C \
              < "$NOMAD_SECRETS_DIR/password"
            echo "host all wadi all scram-sha-256" >> "$data/pg_hba.conf"
            # initdb makes no database of the user's name.
            echo "CREATE DATABASE wadi" | ${local.as} postgres --single -D "$data" postgres
          fi
          exec ${local.as} postgres -D "$data" -p "$NOMAD_PORT_db" -c listen_addresses="$NOMAD_IP_db" -c unix_socket_directories= \
            -c max_connections=${var.max_connections}
        SCRIPT
      }

      resources {
        cpu    = var.cpu
        memory = var.memory
      }
    }
  }
}
