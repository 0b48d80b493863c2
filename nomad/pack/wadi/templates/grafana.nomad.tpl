[[ if has "grafana" (var "jobs" .) -]]
# Grafana for Wadi: its data source is the service wadi-prometheus, its dashboards are those it is given, both provisioned, so that nothing has to be
# clicked together and a lost volume costs only what people made by hand.
#
# Before: nomad var put nomad/jobs/wadi-grafana admin_password=…; Grafana takes it when its database is new.
# Others find it as service wadi-grafana.

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
  default     = [[ var "grafana_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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
  description = "Image of Grafana 10 or later by digest, name@sha256:…, for the driver docker."
  default     = [[ var "grafana_image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec."
  default     = [[ var "grafana_command" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.command != ""
    error_message = "The program must be named."
  }
}

variable "home" {
  type        = string
  description = "Directory of Grafana's own files on the nodes, for exec and raw_exec."
  default     = [[ var "grafana_home" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.home, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "port" {
  type        = number
  description = "Port of Grafana on its node; 0 lets Nomad choose."
  default     = [[ var "grafana_port" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "root_url" {
  type        = string
  description = "URL by which browsers reach it, for links and sign-in; empty: its address."
  default     = [[ var "grafana_root_url" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.root_url, "^https?://[^/]+.*$", "") == ""
    error_message = "The URL must be http(s)://host[:port][/path]."
  }
}

variable "prometheus_url" {
  type        = string
  description = "URL of the Prometheus that it shows; empty: the service wadi-prometheus of this namespace."
  default     = [[ var "grafana_prometheus_url" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.prometheus_url, "^https?://[^/]+.*$", "") == ""
    error_message = "Prometheus must be named by a URL, http(s)://host:port."
  }
}

variable "dashboards" {
  type        = map(string)
  description = "Dashboards, JSON text by file name, such as those of nomad/monitoring/dashboards; none by default."
  default     = [[ var "grafana_dashboards" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = length([for name in keys(var.dashboards) : name if regex_replace(name, "^[A-Za-z0-9][A-Za-z0-9._-]*[.]json$", "") != ""]) == 0
    error_message = "Each name must be a file's name that ends with .json."
  }
}

variable "anonymous" {
  type        = bool
  description = "Whether people may look, not change, without signing in."
  default     = [[ var "grafana_anonymous" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = [[ var "grafana_volume" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.volume, "^[A-Za-z0-9_-]*$", "") == ""
    error_message = "The volume must be named by letters, digits, hyphens and underscores."
  }
}

variable "data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = [[ var "grafana_data_directory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.data_directory, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = [[ var "grafana_disk" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.disk >= 10
    error_message = "MB must be at least 10."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "grafana_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "grafana_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "grafana_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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
  root   = local.volume != "" ? "/var/lib/wadi-grafana" : local.raw && var.data_directory != "" ? var.data_directory : "${NOMAD_ALLOC_DIR}/data"
  data   = "${local.root}/grafana"
}

job "wadi-grafana" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"

  meta {
    managed_by = "wadi"
  }

  ui {
    description = "Grafana of Wadi: dashboards of pipelines, workers and Nomad."
  }

  group "grafana" {
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
      name     = "wadi-grafana"
      provider = "nomad"
      port     = "http"

      check {
        type     = "http"
        path     = "/api/health"
        interval = "10s"
        timeout  = "3s"
        check_restart {
          limit = 3
          grace = "90s"
        }
      }
    }

    task "grafana" {
      driver = var.driver

      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image        = local.image
          network_mode = "host"
        }
      }

      dynamic "config" {
        for_each = var.driver == "docker" ? [] : [1]
        content {
          command = var.command
          args    = ["server", "--homepath=${var.home}"]
        }
      }

      dynamic "volume_mount" {
        for_each = local.volume == "" ? [] : [1]
        content {
          volume      = "data"
          destination = "/var/lib/wadi-grafana"
        }
      }

      env {
        GF_SERVER_HTTP_ADDR                = NOMAD_IP_http
        GF_SERVER_HTTP_PORT                = NOMAD_PORT_http
        GF_SERVER_ROOT_URL                 = var.root_url == "" ? "http://${NOMAD_ADDR_http}/" : var.root_url
        GF_PATHS_DATA                      = local.data
        GF_PATHS_LOGS                      = "${NOMAD_ALLOC_DIR}/data/grafana-logs"
        GF_PATHS_PLUGINS                   = "${NOMAD_ALLOC_DIR}/data/grafana-plugins"
        GF_PATHS_PROVISIONING              = "${NOMAD_TASK_DIR}/provisioning"
        GF_LOG_MODE                        = "console"
        GF_SECURITY_ADMIN_PASSWORD__FILE   = "${NOMAD_SECRETS_DIR}/admin-password"
        GF_AUTH_ANONYMOUS_ENABLED          = var.anonymous
        GF_USERS_ALLOW_SIGN_UP             = false
        GF_ANALYTICS_REPORTING_ENABLED     = false
        GF_ANALYTICS_CHECK_FOR_UPDATES     = false
        GF_NEWS_NEWS_FEED_ENABLED          = false
        GF_DASHBOARDS_MIN_REFRESH_INTERVAL = "5s"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/admin-password"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/wadi-grafana\" }}{{ .admin_password }}{{ end }}"
      }

      template {
        destination = "${NOMAD_TASK_DIR}/provisioning/datasources/prometheus.yml"
        change_mode = "restart"
        data        = <<-YAML
          apiVersion: 1
          datasources:
            - name: Prometheus
              uid: prometheus
              type: prometheus
              access: proxy
              isDefault: true
              %{if var.prometheus_url == ""}
              url: {{ range nomadService 1 (env "NOMAD_ALLOC_ID") "wadi-prometheus" }}http://{{ .Address }}:{{ .Port }}{{ else }}http://wadi-prometheus.invalid{{ end }}
              %{else}
              url: ${var.prometheus_url}
              %{endif}
        YAML
      }

      template {
        destination = "${NOMAD_TASK_DIR}/provisioning/dashboards/wadi.yml"
        change_mode = "noop"
        data        = <<-YAML
          apiVersion: 1
          providers:
            - name: wadi
              folder: Wadi
              type: file
              allowUiUpdates: false
              updateIntervalSeconds: 30
              options:
                path: {{ env "NOMAD_TASK_DIR" }}/dashboards
        YAML
      }

      # At least one file, so that the folder is there.
      dynamic "template" {
        for_each = merge({ "README.txt" = "Dashboards of Wadi; the job's variable dashboards says which." }, var.dashboards)
        content {
          destination = "${NOMAD_TASK_DIR}/dashboards/${template.key}"
          change_mode = "noop"
          # Dashboards have templates of their own in double braces.
          left_delimiter  = "[[ "[[[" ]]"
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
[[ end ]]
