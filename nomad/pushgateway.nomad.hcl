# Pushgateway for Wadi: workers of short runs leave their last numbers here, grouped by job, run and worker. Groups of runs that ended are deleted
# by the controller. Others find it as service wadi-pushgateway.

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
  description = "Image of the Pushgateway by digest, name@sha256:…, for the driver docker."
  default     = ""
  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = "/usr/bin/prometheus-pushgateway"
}

variable "port" {
  type        = number
  description = "Port of the Pushgateway on its node; 0 lets Nomad choose."
  default     = 0
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = 100
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = 64
}

locals {
  arguments = [
    "--web.listen-address=${NOMAD_ADDR_http}",
    "--persistence.file=${NOMAD_ALLOC_DIR}/data/pushgateway",
  ]
}

job "wadi-pushgateway" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"

  ui {
    description = "Pushgateway of Wadi."
  }

  group "pushgateway" {
    count = 1

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

    ephemeral_disk {
      sticky = true
      size   = 300
    }

    network {
      port "http" {
        static = var.port
      }
    }

    service {
      name     = "wadi-pushgateway"
      provider = "nomad"
      port     = "http"

      check {
        type     = "http"
        path     = "/-/ready"
        interval = "10s"
        timeout  = "3s"
        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    task "pushgateway" {
      driver = var.driver

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image        = var.image
          network_mode = "host"
          args         = local.arguments
        }
      }

      dynamic "config" {
        for_each = var.driver == "docker" ? [] : [1]
        content {
          command = var.command
          args    = local.arguments
        }
      }

      resources {
        cpu    = var.cpu
        memory = var.memory
      }
    }
  }
}
