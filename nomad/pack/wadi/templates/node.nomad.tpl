[[ if has "node" (var "jobs" .) -]]
# Wadi's node daemon on every node of a pool, for controllers with scheduler = "node": workers are processes of the daemon instead of jobs of
# their own, so nothing is downloaded when a run starts. Nomad's drain empties the daemon by checkpoints, like `wadi node drain`.
#
# Before: nomad var put nomad/jobs/wadi-node node_token=… [certificate=… private_key=… authority=…]; the same node_token in nomad/jobs/wadi-controller.
# Others find them as service wadi-node.

variable "namespace" {
  type        = string
  description = "Namespace of the job and of the controllers."
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
  default     = [[ var "node_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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

variable "aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = [[ var "node_aws_role_arn" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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

variable "tls_files" {
  type        = bool
  description = "Whether certificate, private_key and authority (PEM) are in the variable of this job: needed where tls.mode is not off."
  default     = [[ var "node_tls_files" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "slots" {
  type        = number
  description = "Slots that each node offers."
  default     = [[ var "node_slots" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.slots >= 1 && var.slots <= 1024
    error_message = "Slots must be from 1 to 1024."
  }
}

variable "port" {
  type        = number
  description = "Port of the daemon on its node; 0 lets Nomad choose."
  default     = [[ var "node_port" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "host" {
  type        = string
  description = "Name or address by which controllers call a node; node attributes may be part of it; empty: its address."
  default     = [[ var "node_host" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "drain_seconds" {
  type        = number
  description = "Time that a drain gives workers to move, in seconds; Nomad's max_kill_timeout caps it."
  default     = [[ var "node_drain_seconds" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.drain_seconds >= 1 && var.drain_seconds <= 86400
    error_message = "Seconds must be from 1 to 86400."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "node_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved: of the daemon and of all workers on the node."
  default     = [[ var "node_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "node_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory_max >= 0
    error_message = "MB must not be negative."
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
  tls = !var.tls_files ? {} : {
    WADI__TLS__CERTIFICATE = "${NOMAD_SECRETS_DIR}/tls-certificate.pem"
    WADI__TLS__KEY         = "${NOMAD_SECRETS_DIR}/tls-key.pem"
    WADI__TLS__CA          = "${NOMAD_SECRETS_DIR}/tls-ca.pem"
  }
}

job "wadi-node" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "system"
  priority    = 60

  meta {
    managed_by = "wadi"
  }

  ui {
    description = "Node daemons of Wadi: they start workers on their own machines."
  }

  group "node" {
    count = 1

    # The daemon's identity and its record of workers stay on the node.
    ephemeral_disk {
      sticky = true
      size   = 1024
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
      attempts = 20
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    network {
      port "rpc" {
        static = var.port
      }
      port "admin" {}
    }

    service {
      name     = "wadi-node"
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
          grace = "60s"
        }
      }
    }

    service {
      name     = "wadi-node-admin"
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

    task "node" {
      driver = var.driver

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image           = local.image
          args            = ["node"]
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
          args    = concat(var.arguments, ["node"])
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

      # The daemon empties the node before it ends.
      kill_signal  = "SIGTERM"
      kill_timeout = "${var.drain_seconds + 10}s"

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
        WADI__NODE__BIND_ADDRESS   = "${NOMAD_IP_rpc}"
        WADI__NODE__RPC_PORT       = "${NOMAD_PORT_rpc}"
        WADI__NODE__TASK_SLOTS     = "${var.slots}"
        WADI__NODE__DRAIN_TIMEOUT  = "${var.drain_seconds}s"
        WADI__HOSTNAME             = var.host == "" ? "${NOMAD_IP_rpc}" : var.host
        WADI__WORKER__BIND_ADDRESS = "${NOMAD_IP_rpc}"
        WADI__ADMIN__BIND_ADDRESS  = "${NOMAD_IP_admin}"
        WADI__ADMIN__HTTP_PORT     = "${NOMAD_PORT_admin}"
        WADI__COMPILER__CACHE_DIR  = "${NOMAD_ALLOC_DIR}/data/compiled"
        WADI__STATE_DIR            = "${NOMAD_ALLOC_DIR}/data/state"
        WADI__LOGGING__FORMAT      = "json"
      }, local.tls, var.environment)

      # Not in env, where Nomad would fill in attributes of this node that are meant for workers' nodes.
      template {
        destination     = "${NOMAD_TASK_DIR}/settings.env"
        env             = true
        change_mode     = "restart"
        left_delimiter  = "[[ "[[[" ]]"
        right_delimiter = "]]]"
        data            = local.settings
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/wadi.env"
        env         = true
        # A daemon that is restarted gives up its workers: controllers that move are found by those that are left.
        change_mode = "noop"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-node" }}WADI__NODE__TOKEN={{ .node_token }}
          {{ with .aws_access_key_id }}AWS_ACCESS_KEY_ID={{ . }}
          {{ end }}{{ with .aws_secret_access_key }}AWS_SECRET_ACCESS_KEY={{ . }}
          {{ end }}{{ end }}
          WADI__CONTROLLER_ENDPOINT={{ range $index, $one := nomadService "wadi-controller" }}{{ if $index }},{{ end }}{{ .Address }}:{{ .Port }}{{ end }}
        ENV
      }

      dynamic "template" {
        for_each = var.tls_files ? { certificate = "tls-certificate.pem", private_key = "tls-key.pem", authority = "tls-ca.pem" } : {}
        content {
          destination = "${NOMAD_SECRETS_DIR}/${template.value}"
          change_mode = "restart"
          data        = "{{ with nomadVar \"nomad/jobs/wadi-node\" }}{{ .${template.key} }}{{ end }}"
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
