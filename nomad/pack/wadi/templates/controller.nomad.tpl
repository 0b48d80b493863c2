[[ if has "controller" (var "jobs" .) -]]
# Controllers of Wadi: one leads, the others stand by and take over within three seconds. They schedule workers on this Nomad through the task
# API with their own workload identity; where ACLs are on, that identity needs controller.policy.hcl.
#
# Before: nomad var put nomad/jobs/wadi-controller database_password=… [node_token=… aws_access_key_id=… aws_secret_access_key=…]
# Workers find them as service wadi-controller.

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
  default     = [[ var "controller_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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
  default     = [[ var "controller_aws_role_arn" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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

variable "scheduler" {
  type        = string
  description = "How workers are started: nomad, as jobs of this Nomad, or node, by the daemons of node.nomad.hcl."
  default     = [[ var "controller_scheduler" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = contains(["nomad", "node"], var.scheduler)
    error_message = "The scheduler must be nomad or node."
  }
}

variable "tls_files" {
  type        = bool
  description = "Whether certificate, private_key and authority (PEM) are in the variable of this job: else the controllers make their own."
  default     = [[ var "controller_tls_files" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "push" {
  type        = bool
  description = "Whether workers push their metrics to the service wadi-pushgateway, if there is one."
  default     = [[ var "controller_push" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "instances" {
  type        = number
  description = "Controllers; two survive the loss of a node."
  default     = [[ var "controller_instances" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.instances >= 1
    error_message = "There must be at least one instance."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "controller_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "controller_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "controller_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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
  database = merge({
    DATABASE_NAME = var.database_name
    DATABASE_USER = var.database_user
    # A server that is not there yet is waited for.
    WADI__DATABASE__TYPE = "postgres"
    }, var.database_ca_url == "" ? {} : {
    WADI__DATABASE__POSTGRES__TLS__MODE    = "ca-cert"
    WADI__DATABASE__POSTGRES__TLS__CA_CERT = "${NOMAD_TASK_DIR}/database-ca.pem"
  })
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

job "wadi-controller" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"
  priority    = 70

  meta {
    managed_by = "wadi"
  }

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
      attribute = node.unique.id
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
          image           = local.image
          args            = ["migrate", "--wait", "86400"]
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
          args    = concat(var.arguments, ["migrate", "--wait", "86400"])
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

      dynamic "artifact" {
        for_each = var.database_ca_url == "" ? [] : [var.database_ca_url]
        content {
          source      = artifact.value
          destination = "local/database-ca.pem"
          mode        = "file"
        }
      }

      kill_signal  = "SIGTERM"
      kill_timeout = "15s"

      env = merge(local.database, var.environment)

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
        change_mode = "restart"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-controller" }}DATABASE_PASSWORD={{ .database_password }}
          {{ end }}
          %{if var.database_host == ""~}
          {{ range nomadService "wadi-postgres" }}DATABASE_HOST={{ .Address }}
          DATABASE_PORT={{ .Port }}
          {{ else }}DATABASE_HOST=wadi-postgres.invalid
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
          image           = local.image
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
          dynamic "options" {
            for_each = var.artifact_checksum == "" ? [] : [var.artifact_checksum]
            content {
              checksum = options.value
            }
          }
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

      # The lease is given up on SIGTERM; workers go on and dial the next leader.
      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      identity {
        env  = true
        file = true
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

      env = merge(local.database, local.aws, {
        SCHEDULER                      = var.scheduler
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
        change_mode = "restart"
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/wadi-controller" }}DATABASE_PASSWORD={{ .database_password }}
          {{ with .node_token }}WADI__NODE__TOKEN={{ . }}
          {{ end }}
          {{ with .aws_access_key_id }}AWS_ACCESS_KEY_ID={{ . }}
          {{ end }}{{ with .aws_secret_access_key }}AWS_SECRET_ACCESS_KEY={{ . }}
          {{ end }}{{ end }}
          %{if var.database_host == ""~}
          {{ range nomadService "wadi-postgres" }}DATABASE_HOST={{ .Address }}
          DATABASE_PORT={{ .Port }}
          {{ else }}DATABASE_HOST=wadi-postgres.invalid
          {{ end }}
          %{else~}
          DATABASE_HOST=${var.database_host}
          DATABASE_PORT=${var.database_port}
          %{endif~}
          %{if var.push~}
          {{ range nomadService "wadi-pushgateway" }}WADI__METRICS__PUSHGATEWAY=http://{{ .Address }}:{{ .Port }}
          {{ end }}
          %{else~}
          WADI__METRICS__PUSH=false
          %{endif~}
        ENV
      }

      dynamic "template" {
        for_each = var.tls_files ? { certificate = "tls-certificate.pem", private_key = "tls-key.pem", authority = "tls-ca.pem" } : {}
        content {
          destination = "${NOMAD_SECRETS_DIR}/${template.value}"
          change_mode = "restart"
          data        = "{{ with nomadVar \"nomad/jobs/wadi-controller\" }}{{ .${template.key} }}{{ end }}"
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
