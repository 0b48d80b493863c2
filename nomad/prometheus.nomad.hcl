# Prometheus for Wadi: finds workers, controllers, APIs and the Pushgateway by Nomad's own services and scrapes Nomad itself. Workers that Nomad does
# not know (scheduler "node") it finds by the API: GET /api/v1/metrics/targets. The task reads services with its workload identity.
#
# Before, where they are needed: nomad var put nomad/jobs/wadi-prometheus [api_token=…] [nomad_ca=@ca.pem]: a key of the API with the role viewer, for
# workers_from = "api"; the authority of Nomad's own certificates, for nomad_server_name.
# Others find it as service wadi-prometheus: the API does so by itself.

variable "namespace" {
  type        = string
  description = "Namespace of the job and of the workers' jobs."
  default     = "default"
  validation {
    condition     = regex_replace(var.namespace, "^[a-zA-Z0-9-]{1,128}$", "") == ""
    error_message = "The namespace must be 1 to 128 letters, digits and hyphens."
  }
}

variable "datacenters" {
  type        = list(string)
  description = "Data centres whose nodes may run it."
  default     = ["*"]
  validation {
    condition     = length(var.datacenters) > 0
    error_message = "There must be at least one data centre; [\"*\"] means all."
  }
}

variable "node_pool" {
  type        = string
  description = "Node pool of the nodes that may run it."
  default     = "default"
  validation {
    condition     = var.node_pool != "" && regex_replace(var.node_pool, "^[a-zA-Z0-9-_]{1,128}$", "") == ""
    error_message = "The node pool must be 1 to 128 letters, digits, hyphens and underscores."
  }
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
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = "/usr/bin/prometheus"
  validation {
    condition     = var.command != ""
    error_message = "The program must be named."
  }
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

variable "workers_from" {
  type        = string
  description = "Who says where workers are: nomad, by its services, or api, by Wadi's list, which knows those of every scheduler."
  default     = "nomad"
  validation {
    condition     = contains(["nomad", "api"], var.workers_from)
    error_message = "Workers are found by nomad or by api."
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

variable "nomad_server_name" {
  type        = string
  description = "Name in the certificates of Nomad's agents, such as client.global.nomad, for https; their authority is then the item nomad_ca of this job's variable, unless nomad_ca_file names it."
  default     = ""
  validation {
    condition     = regex_replace(var.nomad_server_name, "^[A-Za-z0-9.-]+$", "") == ""
    error_message = "The name must be that of a host, such as client.global.nomad."
  }
}

variable "scrape_interval" {
  type        = string
  description = "Time between two scrapes."
  default     = "15s"
  validation {
    condition     = var.scrape_interval != "" && regex_replace(var.scrape_interval, "^[0-9]+(ms|s|m|h|d|w|y)$", "") == ""
    error_message = "The time must be a number and its unit, such as 15s."
  }
}

variable "retention" {
  type        = string
  description = "How long samples are kept."
  default     = "15d"
  validation {
    condition     = var.retention != "" && regex_replace(var.retention, "^[0-9]+(ms|s|m|h|d|w|y)$", "") == ""
    error_message = "The time must be a number and its unit, such as 15s."
  }
}

variable "rules" {
  type        = map(string)
  description = "Rules files, text by file name, such as those of nomad/monitoring/rules; none by default."
  default     = {}
  validation {
    condition     = length([for name in keys(var.rules) : name if regex_replace(name, "^[A-Za-z0-9][A-Za-z0-9._-]*[.](yml|yaml)$", "") != ""]) == 0
    error_message = "Each name must be a file's name that ends with .yml or .yaml."
  }
}

variable "volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = ""
  validation {
    condition     = regex_replace(var.volume, "^[A-Za-z0-9_-]*$", "") == ""
    error_message = "The volume must be named by letters, digits, hyphens and underscores."
  }
}

variable "data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = ""
  validation {
    condition     = regex_replace(var.data_directory, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = 4096
  validation {
    condition     = var.disk >= 10
    error_message = "MB must be at least 10."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = 300
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = 512
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = 0
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
  root   = local.volume != "" ? "/var/lib/wadi-prometheus" : local.raw && var.data_directory != "" ? var.data_directory : "${NOMAD_ALLOC_DIR}/data"
  data   = "${local.root}/prometheus"
  arguments = [
    "--config.file=${NOMAD_TASK_DIR}/prometheus.yml",
    "--storage.tsdb.path=${local.data}",
    "--storage.tsdb.retention.time=${var.retention}",
    "--web.listen-address=${NOMAD_ADDR_http}",
  ]
  agent   = "{{ env \"attr.unique.network.ip-address\" }}:4646"
  servers = length(var.nomad_servers) == 0 ? [local.agent] : var.nomad_servers
  ca_item = var.nomad_scheme == "https" && var.nomad_server_name != "" && var.nomad_ca_file == ""
  ca_file = local.ca_item ? "{{ env \"NOMAD_SECRETS_DIR\" }}/nomad-ca.pem" : var.nomad_ca_file
  tls = join(", ", concat(
    local.ca_file == "" ? [] : ["ca_file: ${local.ca_file}"],
    var.nomad_server_name == "" ? [] : ["server_name: ${var.nomad_server_name}"],
  ))
  token = "{type: Bearer, credentials_file: {{ env \"NOMAD_SECRETS_DIR\" }}/nomad_token}"
  # Services that are scraped by their own tags; workers only where Nomad is asked for them.
  wanted = var.workers_from == "nomad" ? "or (.Tags | contains \"metrics\") (eq .Name \"wadi-pushgateway\")" : "or (and (.Tags | contains \"metrics\") (ne .Name \"wadi-worker\")) (eq .Name \"wadi-pushgateway\")"
}

job "wadi-prometheus" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"

  meta {
    managed_by = "wadi"
  }

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

    dynamic "volume" {
      for_each = local.volume == "" ? [] : [local.volume]
      labels   = ["data"]
      content {
        type   = "host"
        source = volume.value
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
          destination = "/var/lib/wadi-prometheus"
        }
      }

      kill_signal  = "SIGTERM"
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
          rule_files: [rules/*.yml, rules/*.yaml]
          scrape_configs:
            - job_name: wadi
              honor_labels: true
              file_sd_configs:
                - files: [targets.yml]
            %{if var.workers_from == "api"}
            - job_name: wadi-workers
              honor_labels: true
              http_sd_configs:
                {{ range nomadService "wadi-api" -}}
                - url: http://{{ .Address }}:{{ .Port }}/api/v1/metrics/targets
                  refresh_interval: ${var.scrape_interval}
                  authorization: {type: Bearer, credentials_file: {{ env "NOMAD_SECRETS_DIR" }}/api-token}
                {{ end }}
            %{endif}
            - job_name: nomad
              scheme: ${var.nomad_scheme}
              metrics_path: /v1/metrics
              params: {format: [prometheus]}
              authorization: ${local.token}
              tls_config: {${local.tls}}
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
          {{ range nomadServices }}{{ range nomadService .Name }}{{ if ${local.wanted} -}}
          - targets: ["{{ .Address }}:{{ .Port }}"]
            labels:
              service: "{{ .Name }}"
              node: "{{ .Node }}"
              allocation: "{{ .AllocID }}"
          {{ range .Tags }}{{ if . | regexMatch "^(pipeline|job_id|run_id)=" }}    {{ . | replaceAll "=" ": " }}
          {{ end }}{{ end }}{{ end }}{{ end }}{{ end }}
        YAML
      }

      dynamic "template" {
        for_each = var.workers_from == "api" ? [1] : []
        content {
          destination = "${NOMAD_SECRETS_DIR}/api-token"
          change_mode = "noop"
          data        = "{{ with nomadVar \"nomad/jobs/wadi-prometheus\" }}{{ .api_token }}{{ end }}"
        }
      }

      dynamic "template" {
        for_each = local.ca_item ? [1] : []
        content {
          destination   = "${NOMAD_SECRETS_DIR}/nomad-ca.pem"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = "{{ with nomadVar \"nomad/jobs/wadi-prometheus\" }}{{ .nomad_ca }}{{ end }}"
        }
      }

      dynamic "template" {
        for_each = var.rules
        content {
          destination   = "${NOMAD_TASK_DIR}/rules/${template.key}"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          # Alerts have templates of their own in double braces.
          left_delimiter  = "[[["
          right_delimiter = "]]]"
          data            = template.value
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
