[[ if has "pushgateway" (var "jobs" .) -]]
# Pushgateway for Wadi: workers of short runs leave their last numbers here, grouped by job, run and worker. Groups of runs that ended are deleted
# by the controller. Others find it as service wadi-pushgateway.

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
  default     = [[ var "pushgateway_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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
  description = "Image of the Pushgateway by digest, name@sha256:…, for the driver docker."
  default     = [[ var "pushgateway_image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = [[ var "pushgateway_command" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.command != ""
    error_message = "The program must be named."
  }
}

variable "port" {
  type        = number
  description = "Port of the Pushgateway on its node; 0 lets Nomad choose."
  default     = [[ var "pushgateway_port" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = [[ var "pushgateway_volume" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.volume, "^[A-Za-z0-9_-]*$", "") == ""
    error_message = "The volume must be named by letters, digits, hyphens and underscores."
  }
}

variable "data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = [[ var "pushgateway_data_directory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.data_directory, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = [[ var "pushgateway_disk" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.disk >= 10
    error_message = "MB must be at least 10."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "pushgateway_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "pushgateway_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "pushgateway_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory_max >= 0
    error_message = "MB must not be negative."
  }
}

locals {
  # The driver docker fails late without one.
  image  = var.driver != "docker" || var.image != "" ? var.image : parseint("the driver docker needs the variable image", 10)
  raw    = var.driver == "raw_exec"
  volume = local.raw ? "" : var.volume
  root   = local.volume != "" ? "/var/lib/wadi-pushgateway" : local.raw && var.data_directory != "" ? var.data_directory : "${NOMAD_ALLOC_DIR}/data"
  data   = "${local.root}/pushgateway"
  arguments = [
    "--web.listen-address=${NOMAD_ADDR_http}",
    "--persistence.file=${local.data}",
  ]
}

job "wadi-pushgateway" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"

  meta {
    managed_by = "wadi"
  }

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
      size   = var.disk
    }

    network {
      port "http" {
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

      # What was pushed is written on SIGTERM.
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image        = local.image
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

      dynamic "volume_mount" {
        for_each = local.volume == "" ? [] : [1]
        content {
          volume      = "data"
          destination = "/var/lib/wadi-pushgateway"
        }
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
