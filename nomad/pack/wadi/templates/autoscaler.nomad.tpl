[[ if has "autoscaler" (var "jobs" .) -]]
# Nomad Autoscaler for the nodes of workers: an AWS auto-scaling group has as many as the slots that are used or waited for need
# (wadi_scheduler_slots_used, wadi_scheduler_slots_waiting), and one more while Nomad has blocked evaluations. A node that goes is drained first: Wadi takes a checkpoint and moves its runs before the deadline,
# which Nomad alone would not do for batch jobs.
#
# It speaks to Nomad by the task API with its workload identity; where ACLs are on, that identity needs autoscaler.policy.hcl. The role of AWS may
# describe and change the group: terraform/modules/identity makes it.

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
  default     = [[ var "autoscaler_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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
  description = "Image of the Nomad Autoscaler 0.4 or later by digest, name@sha256:…, for the driver docker."
  default     = [[ var "autoscaler_image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = [[ var "autoscaler_command" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.command != ""
    error_message = "The program must be named."
  }
}

variable "aws_role_arn" {
  type        = string
  description = "Role of AWS that the task takes by its workload identity (aud sts.amazonaws.com); empty: none."
  default     = [[ var "autoscaler_aws_role_arn" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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

variable "group_name" {
  type        = string
  description = "Name of the auto-scaling group of the nodes that run workers."
  default     = [[ var "autoscaler_group_name" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "workers_node_pool" {
  type        = string
  description = "Node pool of those nodes."
  default     = [[ var "autoscaler_workers_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.workers_node_pool != "" && regex_replace(var.workers_node_pool, "^[a-zA-Z0-9-_]{1,128}$", "") == ""
    error_message = "The node pool must be 1 to 128 letters, digits, hyphens and underscores."
  }
}

variable "minimum" {
  type        = number
  description = "Nodes at least."
  default     = [[ var "autoscaler_minimum" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.minimum >= 0
    error_message = "Nodes must not be negative."
  }
}

variable "maximum" {
  type        = number
  description = "Nodes at most."
  default     = [[ var "autoscaler_maximum" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.maximum >= 1
    error_message = "There must be at least one node."
  }
}

variable "slots_per_node" {
  type        = number
  description = "Slots that one node has room for: so many waiting slots are worth a node."
  default     = [[ var "autoscaler_slots_per_node" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.slots_per_node >= 1
    error_message = "A node must have room for at least one slot."
  }
}

variable "spare" {
  type        = number
  description = "Nodes more than are needed, so that runs which have to move find room at once."
  default     = [[ var "autoscaler_spare" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.spare >= 0
    error_message = "Nodes must not be negative."
  }
}

variable "calm" {
  type        = string
  description = "Time for which fewer slots must be needed before a node goes."
  default     = [[ var "autoscaler_calm" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.calm != "" && regex_replace(var.calm, "^[0-9]+(ms|s|m|h|d|w|y)$", "") == ""
    error_message = "The time must be a number and its unit, such as 15s."
  }
}

variable "evaluation_interval" {
  type        = string
  description = "Time between two looks."
  default     = [[ var "autoscaler_evaluation_interval" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.evaluation_interval != "" && regex_replace(var.evaluation_interval, "^[0-9]+(ms|s|m|h|d|w|y)$", "") == ""
    error_message = "The time must be a number and its unit, such as 15s."
  }
}

variable "cooldown" {
  type        = string
  description = "Time after a change in which there is no other."
  default     = [[ var "autoscaler_cooldown" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cooldown != "" && regex_replace(var.cooldown, "^[0-9]+(ms|s|m|h|d|w|y)$", "") == ""
    error_message = "The time must be a number and its unit, such as 15s."
  }
}

variable "drain_deadline" {
  type        = string
  description = "Time that a drain gives runs to move."
  default     = [[ var "autoscaler_drain_deadline" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.drain_deadline != "" && regex_replace(var.drain_deadline, "^[0-9]+(ms|s|m|h|d|w|y)$", "") == ""
    error_message = "The time must be a number and its unit, such as 15s."
  }
}

variable "prometheus_url" {
  type        = string
  description = "URL of Prometheus; empty: the service wadi-prometheus of this namespace."
  default     = [[ var "autoscaler_prometheus_url" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.prometheus_url, "^https?://[^/]+.*$", "") == ""
    error_message = "Prometheus must be named by a URL, http(s)://host:port."
  }
}

variable "dry_run" {
  type        = bool
  description = "Whether it only says what it would do."
  default     = [[ var "autoscaler_dry_run" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "autoscaler_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "autoscaler_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "autoscaler_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory_max >= 0
    error_message = "MB must not be negative."
  }
}

locals {
  # The driver docker fails late without one.
  image     = var.driver != "docker" || var.image != "" ? var.image : parseint("the driver docker needs the variable image", 10)
  group     = var.group_name != "" ? var.group_name : parseint("the autoscaler needs the variable group_name", 10)
  arguments = ["agent", "-config", "${NOMAD_TASK_DIR}/autoscaler.hcl", "-http-bind-address", "${NOMAD_IP_http}", "-http-bind-port", "${NOMAD_PORT_http}"]
  aws = merge(var.aws_region == "" ? {} : { AWS_REGION = var.aws_region }, var.aws_role_arn == "" ? {} : {
    AWS_ROLE_ARN                = var.aws_role_arn
    AWS_WEB_IDENTITY_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/nomad_aws.jwt"
  })
  # Standby controllers report nothing, so the sum is the leader's.
  slots = "sum(wadi_scheduler_slots_used) + sum(wadi_scheduler_slots_waiting)"
  nodes = "ceil(max_over_time((${local.slots})[${var.calm}:30s]) / ${var.slots_per_node}) + ${var.spare}"
}

job "wadi-autoscaler" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"
  priority    = 60

  meta {
    managed_by = "wadi"
  }

  ui {
    description = "Nomad Autoscaler for the nodes of Wadi's workers."
  }

  group "autoscaler" {
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

    network {
      port "http" {}
    }

    service {
      name     = "wadi-autoscaler"
      provider = "nomad"
      port     = "http"

      check {
        type     = "http"
        path     = "/v1/health"
        interval = "10s"
        timeout  = "3s"
        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    task "autoscaler" {
      driver = var.driver

      kill_signal  = "SIGINT"
      kill_timeout = "15s"

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

      identity {
        env         = true
        change_mode = "restart"
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
        NOMAD_ADDR = "unix://${NOMAD_SECRETS_DIR}/api.sock"
      })

      template {
        destination = "${NOMAD_TASK_DIR}/autoscaler.hcl"
        change_mode = "restart"
        data        = <<-HCL
          log_json = true
          nomad {
            address = "unix://{{ env "NOMAD_SECRETS_DIR" }}/api.sock"
          }
          policy {
            dir                         = "{{ env "NOMAD_TASK_DIR" }}/policies"
            default_cooldown            = "${var.cooldown}"
            default_evaluation_interval = "${var.evaluation_interval}"
            # Scaling blocks of jobs are others' business.
            source "nomad" {
              enabled = false
            }
          }
          apm "prometheus" {
            driver = "prometheus"
            config = {
              %{if var.prometheus_url == ""~}
              address = "{{ range nomadService 1 (env "NOMAD_ALLOC_ID") "wadi-prometheus" }}http://{{ .Address }}:{{ .Port }}{{ else }}http://wadi-prometheus.invalid{{ end }}"
              %{else~}
              address = "${var.prometheus_url}"
              %{endif~}
            }
          }
          target "aws-asg" {
            driver = "aws-asg"
            config = {
              %{if var.aws_region != ""~}
              aws_region = "${var.aws_region}"
              %{endif~}
            }
          }
          strategy "pass-through" {
            driver = "pass-through"
          }
          strategy "threshold" {
            driver = "threshold"
          }
        HCL
      }

      template {
        destination   = "${NOMAD_TASK_DIR}/policies/workers.hcl"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-HCL
          scaling "wadi-workers" {
            enabled = true
            min     = ${var.minimum}
            max     = ${var.maximum}
            policy {
              cooldown            = "${var.cooldown}"
              evaluation_interval = "${var.evaluation_interval}"
              on_check_error      = "ignore"
              # As many nodes as the slots of the last minutes need: more at once, fewer only after that time.
              check "slots" {
                source       = "prometheus"
                query        = "${local.nodes}"
                query_window = "2m"
                group        = "nodes"
                strategy "pass-through" {}
              }
              # Jobs that wait in Nomad: those of runs without nomad.preflight, and those of others on the same nodes.
              check "blocked-evaluations" {
                source       = "prometheus"
                query        = "sum(nomad_nomad_blocked_evals_total_blocked) or vector(0)"
                query_window = "2m"
                group        = "nodes"
                strategy "threshold" {
                  lower_bound           = 0.5
                  delta                 = 1
                  within_bounds_trigger = 3
                }
              }
              target "aws-asg" {
                dry-run                       = ${var.dry_run}
                aws_asg_name                  = "${local.group}"
                node_pool                     = "${var.workers_node_pool}"
                node_drain_deadline           = "${var.drain_deadline}"
                node_drain_ignore_system_jobs = true
                node_purge                    = true
                node_selector_strategy        = "least_busy"
              }
            }
          }
        HCL
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
