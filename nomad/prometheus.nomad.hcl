# Prometheus for Wadi: finds workers, controllers, APIs and the Pushgateway by Nomad's own services and scrapes Nomad itself. Nothing to set up:
# the task reads services with its workload identity. Its data is on the allocation's disk, which moves with it where that is possible.
#
# Others find it as service wadi-prometheus: the setting prometheus.endpoint of the API.

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
  description = "Image of Prometheus 2.37 or later by digest, name@sha256:…, for the driver docker."
  default     = ""
  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = "/usr/bin/prometheus"
}

variable "port" {
  type        = number
  description = "Port of Prometheus on its node; 0 lets Nomad choose."
  default     = 9090
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "nomad_servers" {
  type        = list(string)
  description = "Agents whose metrics are scraped, host:port; the agent of its own node if empty."
  default     = []
}

variable "nomad_scheme" {
  type        = string
  description = "http or https, of Nomad's API."
  default     = "http"
  validation {
    condition     = contains(["http", "https"], var.nomad_scheme)
    error_message = "The scheme must be http or https."
  }
}

variable "nomad_ca_file" {
  type        = string
  description = "File on the nodes with the authority of Nomad's certificate, for https; the system's if empty."
  default     = ""
}

variable "scrape_interval" {
  type        = string
  description = "Time between two scrapes."
  default     = "15s"
}

variable "retention" {
  type        = string
  description = "How long samples are kept."
  default     = "15d"
}

variable "rules" {
  type        = string
  description = "Text of a rules file, such as file(\"nomad/monitoring/alerts.yaml\"); none if empty."
  default     = ""
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk, for the samples."
  default     = 4096
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

locals {
  arguments = [
    "--config.file=${NOMAD_TASK_DIR}/prometheus.yml",
    "--storage.tsdb.path=${NOMAD_ALLOC_DIR}/data/prometheus",
    "--storage.tsdb.retention.time=${var.retention}",
    "--web.listen-address=${NOMAD_ADDR_http}",
  ]
  agent   = "{{ env \"attr.unique.network.ip-address\" }}:4646"
  servers = length(var.nomad_servers) == 0 ? [local.agent] : var.nomad_servers
  ca      = var.nomad_ca_file == "" ? "{}" : "{ca_file: ${jsonencode(var.nomad_ca_file)}}"
  token   = "{credentials_file: {{ env \"NOMAD_SECRETS_DIR\" }}/nomad_token}"
}

job "wadi-prometheus" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"

  ui {
    description = "Prometheus of Wadi."
  }

  group "prometheus" {
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
      sticky  = true
      migrate = true
      size    = var.disk
    }

    network {
      port "http" {
        static = var.port
      }
    }

    service {
      name     = "wadi-prometheus"
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

    task "prometheus" {
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

      kill_timeout = "30s"

      identity {
        file        = true
        change_mode = "noop"
      }

      template {
        destination   = "${NOMAD_TASK_DIR}/prometheus.yml"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-YAML
          global:
            scrape_interval: ${var.scrape_interval}
            evaluation_interval: ${var.scrape_interval}
          rule_files: [rules.yml]
          scrape_configs:
            - job_name: wadi
              honor_labels: true
              file_sd_configs:
                - files: [targets.yml]
            - job_name: nomad
              scheme: ${var.nomad_scheme}
              metrics_path: /v1/metrics
              params: {format: [prometheus]}
              authorization: ${local.token}
              tls_config: ${local.ca}
              static_configs:
                - targets: [${join(", ", local.servers)}]
        YAML
      }

      # Not by nomad_sd_configs, which Debian's Prometheus is built without. Prometheus watches the file.
      template {
        destination = "${NOMAD_TASK_DIR}/targets.yml"
        change_mode = "noop"
        data        = <<-YAML
          - targets: []
          {{ range nomadServices }}{{ range nomadService .Name }}{{ if or (.Tags | contains "metrics") (eq .Name "wadi-pushgateway") -}}
          - targets: ["{{ .Address }}:{{ .Port }}"]
            labels:
              service: "{{ .Name }}"
              node: "{{ .Node }}"
              allocation: "{{ .AllocID }}"
          {{ range .Tags }}{{ if . | regexMatch "^(pipeline|job_id|run_id)=" }}    {{ . | replaceAll "=" ": " }}
          {{ end }}{{ end }}{{ end }}{{ end }}{{ end }}
        YAML
      }

      template {
        destination   = "${NOMAD_TASK_DIR}/rules.yml"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        # Alerts have templates of their own in double braces.
        left_delimiter  = "[[["
        right_delimiter = "]]]"
        data            = var.rules == "" ? "groups: []" : var.rules
      }

      resources {
        cpu    = var.cpu
        memory = var.memory
      }
    }
  }
}
