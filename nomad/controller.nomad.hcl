# Controllers of Wadi: one leads, the others stand by and take over within three seconds. They schedule workers on this Nomad through the task
# API with their own workload identity; where ACLs are on, that identity needs the policy that nomad/README.md shows.
#
# Before: nomad var put nomad/jobs/wadi-controller database_password=…
# Workers find them as service wadi-controller.

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

variable "node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
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
  description = "Image of Wadi by digest, name@sha256:…, for the driver docker."
  default     = ""
  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "artifact" {
  type        = string
  description = "URL of Wadi's package, for exec and raw_exec, as npm run package makes it; empty: command is on the nodes already."
  default     = ""
}

variable "artifact_checksum" {
  type        = string
  description = "Checksum of the package, sha256:…."
  default     = ""
  validation {
    condition     = var.artifact_checksum == "" || can(regex("^sha256:[0-9a-f]{64}$", var.artifact_checksum))
    error_message = "The checksum must be sha256: and 64 hexadecimal digits."
  }
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

variable "instances" {
  type        = number
  description = "Controllers; two survive the loss of a node."
  default     = 2
  validation {
    condition     = var.instances >= 1
    error_message = "There must be at least one instance."
  }
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

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
}

locals {
  unpacked = "${NOMAD_TASK_DIR}/wadi/bin/wadi"
  command  = var.artifact == "" ? var.command : local.unpacked
  settings = { for name, value in var.settings : "WADI__${upper(replace(replace(name, ".", "__"), "-", "_"))}" => value }
  database = {
    DATABASE_NAME = var.database_name
    DATABASE_USER = var.database_user
  }
}

job "wadi-controller" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"
  priority    = 70

  ui {
    description = "Controllers of Wadi: they start, watch and move the workers of pipelines."
  }

  group "controller" {
    count = var.instances

    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "5s"
      healthy_deadline  = "3m"
      progress_deadline = "5m"
      auto_revert       = true
    }

    restart {
      attempts = 20
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    reschedule {
      unlimited      = true
      delay          = "5s"
      delay_function = "exponential"
      max_delay      = "5m"
    }

    spread {
      attribute = "${node.unique.id}"
    }

    network {
      port "rpc" {}
      port "admin" {}
    }

    service {
      name     = "wadi-controller"
      provider = "nomad"
      port     = "rpc"
      tags     = ["rpc"]

      check {
        type     = "http"
        port     = "admin"
        path     = "/status"
        interval = "10s"
        timeout  = "3s"
        check_restart {
          limit = 3
          grace = "90s"
        }
      }
    }

    service {
      name     = "wadi-controller-admin"
      provider = "nomad"
      port     = "admin"
      tags     = ["metrics"]

      check {
        type     = "tcp"
        interval = "10s"
        timeout  = "3s"
      }
    }

    task "migrate" {
      lifecycle {
        hook = "prestart"
      }

      driver = var.driver

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image           = var.image
          args            = ["migrate"]
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
          args    = concat(var.arguments, ["migrate"])
        }
      }

      dynamic "artifact" {
        for_each = var.driver == "docker" || var.artifact == "" ? [] : [var.artifact]
        content {
          source      = artifact.value
          destination = "local/wadi"
          options     = var.artifact_checksum == "" ? {} : { checksum = var.artifact_checksum }
        }
      }

      env = merge(local.database, local.settings)

      template {
        destination = "${NOMAD_SECRETS_DIR}/wadi.env"
        env         = true
        change_mode = "noop"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-controller" }}DATABASE_PASSWORD={{ .database_password }}
          {{ end }}
          %{if var.database_host == ""~}
          {{ range nomadService "wadi-postgres" }}DATABASE_HOST={{ .Address }}
          DATABASE_PORT={{ .Port }}
          {{ end }}
          %{else~}
          DATABASE_HOST=${var.database_host}
          DATABASE_PORT=${var.database_port}
          %{endif~}
        ENV
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }

    task "controller" {
      driver = var.driver

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image           = var.image
          args            = ["controller"]
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
          args    = concat(var.arguments, ["controller"])
        }
      }

      dynamic "artifact" {
        for_each = var.driver == "docker" || var.artifact == "" ? [] : [var.artifact]
        content {
          source      = artifact.value
          destination = "local/wadi"
          options     = var.artifact_checksum == "" ? {} : { checksum = var.artifact_checksum }
        }
      }

      # The lease is given up on SIGTERM; workers go on and dial the next leader.
      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      identity {
        env  = true
        file = true
      }

      env = merge(local.database, {
        SCHEDULER                      = "nomad"
        NOMAD_UNIX_ADDR                = "${NOMAD_SECRETS_DIR}/api.sock"
        WADI__NOMAD__TOKEN_FILE        = "${NOMAD_SECRETS_DIR}/nomad_token"
        WADI__NOMAD__NAMESPACE         = var.namespace
        WADI__HOSTNAME                 = "${NOMAD_IP_rpc}"
        WADI__CONTROLLER__BIND_ADDRESS = "${NOMAD_IP_rpc}"
        WADI__CONTROLLER__RPC_PORT     = "${NOMAD_PORT_rpc}"
        WADI__ADMIN__BIND_ADDRESS      = "${NOMAD_IP_admin}"
        WADI__ADMIN__HTTP_PORT         = "${NOMAD_PORT_admin}"
        WADI__COMPILER__CACHE_DIR      = "${NOMAD_ALLOC_DIR}/data/compiled"
        WADI__STATE_DIR                = "${NOMAD_ALLOC_DIR}/data/state"
        WADI__LOGGING__FORMAT          = "json"
      }, local.settings)

      template {
        destination = "${NOMAD_SECRETS_DIR}/wadi.env"
        env         = true
        change_mode = "restart"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-controller" }}DATABASE_PASSWORD={{ .database_password }}
          {{ end }}
          %{if var.database_host == ""~}
          {{ range nomadService "wadi-postgres" }}DATABASE_HOST={{ .Address }}
          DATABASE_PORT={{ .Port }}
          {{ end }}
          %{else~}
          DATABASE_HOST=${var.database_host}
          DATABASE_PORT=${var.database_port}
          %{endif~}
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
