[[ if has "s3" (var "jobs" .) -]]
# An object store for installations without S3: one server, not replicated, SeaweedFS 4.42 or later or Garage 2.3 or later. MinIO is no choice: its
# community edition is archived. A checkpoint is as safe as the disk below it: back it up, or use S3.
#
# Before: nomad var put nomad/jobs/wadi-s3 access_key=… secret_key=… [rpc_secret=… for garage]. Garage wants GK and 24 hexadecimal digits as access
# key, and 64 hexadecimal digits as secret key and as RPC secret. The same keys as aws_access_key_id and aws_secret_access_key in nomad/jobs/wadi-controller.
# Others find it as service wadi-s3: checkpoint-url = "s3://wadi?endpoint=http://ADDRESS:8333".

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
  default     = [[ var "s3_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
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

variable "implementation" {
  type        = string
  description = "seaweedfs or garage."
  default     = [[ var "s3_implementation" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = contains(["seaweedfs", "garage"], var.implementation)
    error_message = "The implementation must be seaweedfs or garage."
  }
}

variable "image" {
  type        = string
  description = "Image of SeaweedFS or Garage by digest, name@sha256:…, for the driver docker."
  default     = [[ var "s3_image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "command" {
  type        = string
  description = "Program on the nodes, for exec and raw_exec; empty: weed or garage."
  default     = [[ var "s3_command" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
}

variable "port" {
  type        = number
  description = "Port of the S3 API on its node; 0 lets Nomad choose."
  default     = [[ var "s3_port" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.port >= 0 && var.port <= 65535
    error_message = "The port must be from 0 to 65535."
  }
}

variable "bucket" {
  type        = string
  description = "Bucket that is made at the start, if it is not there."
  default     = [[ var "s3_bucket" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.bucket != "" && regex_replace(var.bucket, "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "") == ""
    error_message = "The bucket must be 3 to 63 small letters, digits, dots and hyphens."
  }
}

variable "region" {
  type        = string
  description = "Region that clients have to sign for."
  default     = [[ var "s3_region" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.region != "" && regex_replace(var.region, "^[a-z0-9-]+$", "") == ""
    error_message = "The region must be written like us-east-1."
  }
}

variable "volume" {
  type        = string
  description = "Host volume for its data (dynamic from Nomad 1.10, static before), for docker and exec; empty: the allocation's own disk."
  default     = [[ var "s3_volume" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.volume, "^[A-Za-z0-9_-]*$", "") == ""
    error_message = "The volume must be named by letters, digits, hyphens and underscores."
  }
}

variable "data_directory" {
  type        = string
  description = "Directory on the node for its data, for raw_exec, which has no volumes; empty: the allocation's own disk."
  default     = [[ var "s3_data_directory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.data_directory, "^/.*$", "") == ""
    error_message = "The directory must be an absolute path."
  }
}

variable "disk" {
  type        = number
  description = "MB of the allocation's disk, where there is no volume."
  default     = [[ var "s3_disk" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.disk >= 10
    error_message = "MB must be at least 10."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "s3_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "s3_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "s3_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory_max >= 0
    error_message = "MB must not be negative."
  }
}

locals {
  # The driver docker fails late without one.
  image   = var.driver != "docker" || var.image != "" ? var.image : parseint("the driver docker needs the variable image", 10)
  garage  = var.implementation == "garage"
  program = var.command != "" ? var.command : local.garage ? (var.driver == "docker" ? "/garage" : "garage") : "weed"
  raw     = var.driver == "raw_exec"
  volume  = local.raw ? "" : var.volume
  root    = local.volume != "" ? "/var/lib/wadi-s3" : local.raw && var.data_directory != "" ? var.data_directory : "${NOMAD_ALLOC_DIR}/data"
  data    = "${local.root}/s3"
  # Garage's image has no shell, and Garage makes its bucket itself.
  words = local.garage ? [local.program, "-c", "${NOMAD_TASK_DIR}/garage.toml", "server", "--single-node", "--default-bucket"] : ["/bin/sh", "${NOMAD_TASK_DIR}/seaweedfs.sh"]
  ports = local.garage ? ["rpc"] : ["master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "s3_grpc"]
}

job "wadi-s3" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "service"
  priority    = 75

  meta {
    managed_by = "wadi"
  }

  ui {
    description = "Object store of Wadi: checkpoints and artifacts."
  }

  group "s3" {
    count = 1

    # Its data is on its node: nothing takes its place while the node is only away.
    disconnect {
      lost_after = "24h"
      replace    = false
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
      port "s3" {
        static = var.port
      }
      dynamic "port" {
        for_each = local.ports
        labels   = [port.value]
        content {}
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
      name     = "wadi-s3"
      provider = "nomad"
      port     = "s3"

      check {
        type     = "tcp"
        interval = "10s"
        timeout  = "3s"
        check_restart {
          limit = 3
          grace = "90s"
        }
      }
    }

    task "s3" {
      driver = var.driver

      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image        = local.image
          network_mode = "host"
          entrypoint   = [local.words[0]]
          args         = slice(local.words, 1, length(local.words))
        }
      }

      dynamic "config" {
        for_each = var.driver == "docker" ? [] : [1]
        content {
          command = local.words[0]
          args    = slice(local.words, 1, length(local.words))
        }
      }

      dynamic "volume_mount" {
        for_each = local.volume == "" ? [] : [1]
        content {
          volume      = "data"
          destination = "/var/lib/wadi-s3"
        }
      }

      env {
        WADI_S3_DATA          = local.data
        WADI_S3_PROGRAM       = local.program
        GARAGE_DEFAULT_BUCKET = var.bucket
      }

      dynamic "template" {
        for_each = local.garage ? [1] : []
        content {
          destination = "${NOMAD_SECRETS_DIR}/garage.env"
          env         = true
          change_mode = "restart"
          data        = <<-ENV
            {{ with nomadVar "nomad/jobs/wadi-s3" }}GARAGE_DEFAULT_ACCESS_KEY={{ .access_key }}
            GARAGE_DEFAULT_SECRET_KEY={{ .secret_key }}
            GARAGE_RPC_SECRET={{ .rpc_secret }}
            {{ end }}
          ENV
        }
      }

      dynamic "template" {
        for_each = local.garage ? [1] : []
        content {
          destination = "${NOMAD_TASK_DIR}/garage.toml"
          change_mode = "restart"
          data        = <<-TOML
            metadata_dir       = "{{ env "WADI_S3_DATA" }}/meta"
            data_dir           = "{{ env "WADI_S3_DATA" }}/objects"
            db_engine          = "sqlite"
            replication_factor = 1
            rpc_bind_addr      = "{{ env "NOMAD_ADDR_rpc" }}"
            rpc_public_addr    = "{{ env "NOMAD_ADDR_rpc" }}"

            [s3_api]
            s3_region     = "${var.region}"
            api_bind_addr = "{{ env "NOMAD_ADDR_s3" }}"
          TOML
        }
      }

      dynamic "template" {
        for_each = local.garage ? [] : [1]
        content {
          destination = "${NOMAD_SECRETS_DIR}/seaweedfs.json"
          change_mode = "restart"
          data        = <<-JSON
            {{ with nomadVar "nomad/jobs/wadi-s3" }}{"identities": [{
              "name": "wadi",
              "credentials": [{"accessKey": {{ .access_key.Value | toJSON }}, "secretKey": {{ .secret_key.Value | toJSON }}}],
              "actions": ["Admin", "Read", "Write", "List", "Tagging"]
            }]}{{ end }}
          JSON
        }
      }

      dynamic "template" {
        for_each = local.garage ? [] : [1]
        content {
          destination = "${NOMAD_TASK_DIR}/seaweedfs.sh"
          change_mode = "restart"
          data        = <<-SCRIPT
            set -eu
            mkdir -p "$WADI_S3_DATA"
            # The bucket can be made when the servers have found each other.
            (
              for attempt in $(seq 60); do
                sleep 2
                echo "s3.bucket.create -name ${var.bucket}" | "$WADI_S3_PROGRAM" shell \
                  -master="$NOMAD_IP_master:$NOMAD_PORT_master.$NOMAD_PORT_master_grpc" \
                  -filer="$NOMAD_IP_filer:$NOMAD_PORT_filer.$NOMAD_PORT_filer_grpc" 2>&1 | grep -q "create bucket\|already exists" && exit
              done
              echo "the bucket ${var.bucket} could not be made" >&2
            ) &
            exec "$WADI_S3_PROGRAM" server -dir="$WADI_S3_DATA" -ip="$NOMAD_IP_s3" -ip.bind="$NOMAD_IP_s3" \
              -master.port="$NOMAD_PORT_master" -master.port.grpc="$NOMAD_PORT_master_grpc" -master.volumeSizeLimitMB=1024 \
              -volume.port="$NOMAD_PORT_volume" -volume.port.grpc="$NOMAD_PORT_volume_grpc" -volume.max=0 \
              -filer -filer.port="$NOMAD_PORT_filer" -filer.port.grpc="$NOMAD_PORT_filer_grpc" \
              -s3 -s3.port="$NOMAD_PORT_s3" -s3.port.grpc="$NOMAD_PORT_s3_grpc" -s3.port.iceberg=0 -s3.config="$NOMAD_SECRETS_DIR/seaweedfs.json"
          SCRIPT
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
