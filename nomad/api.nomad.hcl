# The API and the web UI of Wadi: stateless, any number. They talk to PostgreSQL only.
#
# Before: nomad var put nomad/jobs/wadi-api database_password=… session_token=…
# Others find them as service wadi-api; with a static port a load balancer finds them, too.

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

variable "port" {
  type        = number
  description = "Port of the API and the UI on its node; 0 lets Nomad choose."
  default     = 5115
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "allowed_hosts" {
  type        = list(string)
  description = "Names besides addresses by which browsers call it."
  default     = []
}

variable "instances" {
  type        = number
  description = "Instances; on nodes of their own where the port is static."
  default     = 2
  validation {
    condition     = var.instances >= 1
    error_message = "There must be at least one instance."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = 300
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = 512
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

job "wadi-api" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"
  priority    = 60

  ui {
    description = "API and web UI of Wadi."
  }

  group "api" {
    count = var.instances

    update {
      max_parallel      = 1
      canary            = var.port == 0 ? 1 : 0
      auto_promote      = var.port == 0
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
      port "http" {
        static = var.port
      }
      port "admin" {}
    }

    service {
      name     = "wadi-api"
      provider = "nomad"
      port     = "http"
      tags     = ["http"]

      check {
        type     = "http"
        path     = "/api/v1/ping"
        interval = "10s"
        timeout  = "3s"
        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    service {
      name     = "wadi-api-admin"
      provider = "nomad"
      port     = "admin"
      tags     = ["metrics"]

      check {
        type     = "http"
        path     = "/status"
        interval = "10s"
        timeout  = "3s"
      }
    }

    task "api" {
      driver = var.driver

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image           = var.image
          args            = ["api"]
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
          args    = concat(var.arguments, ["api"])
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

      kill_signal    = "SIGTERM"
      kill_timeout   = "15s"
      shutdown_delay = "3s"

      env = merge(local.database, {
        SCHEDULER                 = "nomad"
        WADI__API__BIND_ADDRESS   = "${NOMAD_IP_http}"
        WADI__API__HTTP_PORT      = "${NOMAD_PORT_http}"
        WADI__ADMIN__BIND_ADDRESS = "${NOMAD_IP_admin}"
        WADI__ADMIN__HTTP_PORT    = "${NOMAD_PORT_admin}"
        WADI__LOGGING__FORMAT     = "json"
      }, length(var.allowed_hosts) == 0 ? {} : { WADI__API__ALLOWED_HOSTS = join(",", var.allowed_hosts) }, local.settings)

      template {
        destination = "${NOMAD_SECRETS_DIR}/wadi.env"
        env         = true
        change_mode = "restart"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-api" }}DATABASE_PASSWORD={{ .database_password }}
          WADI__API__SESSION_TOKEN={{ .session_token }}
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
