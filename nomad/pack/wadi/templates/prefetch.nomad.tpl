[[ if has "prefetch" (var "jobs" .) -]]
# Lays Wadi's worker package on a directory of every node, so that workers start without a download: Nomad has no cache of artifacts. Runs once on
# each node, those that come later included. A node that has the package says so by its metadata, and workers go where it is:
#
#   "nomad.command" = "/opt/wadi/RELEASE/bin/wadi,worker", "nomad.constraints" = "meta.wadi_worker = RELEASE", and no nomad.artifact
#
# Where ACLs are on, marking nodes needs prefetch.policy.hcl. docker and exec need a host volume, which workers mount, too (nomad.host-volumes).

variable "namespace" {
  type        = string
  description = "Namespace of the job."
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
  description = "Node pool of the nodes that run workers."
  default     = [[ var "prefetch_node_pool" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.node_pool != "" && regex_replace(var.node_pool, "^[a-zA-Z0-9-_]{1,128}$", "") == ""
    error_message = "The node pool must be 1 to 128 letters, digits, hyphens and underscores."
  }
}

variable "driver" {
  type        = string
  description = "Task driver: docker, exec or raw_exec."
  default     = [[ var "prefetch_driver" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = contains(["docker", "exec", "raw_exec"], var.driver)
    error_message = "The driver must be docker, exec or raw_exec."
  }
}

variable "image" {
  type        = string
  description = "Image of any image with a shell and a CA by digest, name@sha256:…, for the driver docker."
  default     = [[ var "prefetch_image" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.image, "^.*@sha256:[0-9a-f]{64}$", "") == ""
    error_message = "The image must be named by its digest, name@sha256:…."
  }
}

variable "artifact" {
  type        = string
  description = "URL of the package wadi-worker, as npm run package makes it; node attributes such as $${attr.cpu.arch} may be part of it."
  default     = [[ var "prefetch_artifact" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.artifact, "^[a-z0-9]+:.*$", "") == ""
    error_message = "The package must be named by a URL."
  }
}

variable "artifact_checksum" {
  type        = string
  description = "Checksum of the package: sha256:…, or file:URL of a list of checksums."
  default     = [[ var "prefetch_artifact_checksum" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.artifact_checksum, "^(sha256:[0-9a-f]{64}|file:.+)$", "") == ""
    error_message = "The checksum must be sha256: and 64 hexadecimal digits, or file: and a URL."
  }
}

variable "release" {
  type        = string
  description = "Name of the package's directory; empty: the first 16 digits of its checksum."
  default     = [[ var "prefetch_release" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.release, "^[A-Za-z0-9._-]+$", "") == ""
    error_message = "The release must be named by letters, digits, dots, hyphens and underscores."
  }
}

variable "directory" {
  type        = string
  description = "Directory on the nodes, for raw_exec; for docker and exec where the volume is mounted."
  default     = [[ var "prefetch_directory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.directory, "^/[^ ]+$", "") == "" && var.directory != ""
    error_message = "The directory must be an absolute path without blanks."
  }
}

variable "volume" {
  type        = string
  description = "Host volume for the packages (dynamic from Nomad 1.10, static before), for docker and exec, which need one."
  default     = [[ var "prefetch_volume" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.volume, "^[A-Za-z0-9_-]*$", "") == ""
    error_message = "The volume must be named by letters, digits, hyphens and underscores."
  }
}

variable "keep" {
  type        = number
  description = "Packages that are kept, the new one included: running workers may still use an old one."
  default     = [[ var "prefetch_keep" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.keep >= 1
    error_message = "At least one package must be kept."
  }
}

variable "mark" {
  type        = string
  description = "Key of the node's metadata that says which package it has; empty: none, and no right is needed."
  default     = [[ var "prefetch_mark" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = regex_replace(var.mark, "^[A-Za-z0-9_]+$", "") == ""
    error_message = "The key must be letters, digits and underscores."
  }
}

variable "cpu" {
  type        = number
  description = "MHz reserved."
  default     = [[ var "prefetch_cpu" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "memory" {
  type        = number
  description = "MB reserved."
  default     = [[ var "prefetch_memory" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "memory_max" {
  type        = number
  description = "MB it may use where the cluster allows more than is reserved; 0: what is reserved."
  default     = [[ var "prefetch_memory_max" . | toJson | replace "${" "$${" | replace "%{" "%%{" ]]
  validation {
    condition     = var.memory_max >= 0
    error_message = "MB must not be negative."
  }
}

locals {
  # The driver docker fails late without one.
  image   = var.driver != "docker" || var.image != "" ? var.image : parseint("the driver docker needs the variable image", 10)
  raw     = var.driver == "raw_exec"
  volume  = local.raw ? "" : var.volume != "" ? var.volume : parseint("the drivers docker and exec need the variable volume", 10)
  digits  = replace(var.artifact_checksum, "sha256:", "")
  release = var.release != "" ? var.release : length(split(":", local.digits)) == 1 && local.digits != "" ? substr(local.digits, 0, 16) : parseint("prefetch needs the variable release, or artifact_checksum as sha256:…", 10)
  source  = var.artifact != "" ? var.artifact : parseint("prefetch needs the variable artifact", 10)
}

job "wadi-prefetch" {
  namespace   = var.namespace
  datacenters = var.datacenters
  node_pool   = var.node_pool
  type        = "sysbatch"
  priority    = 70

  meta {
    managed_by = "wadi"
  }

  ui {
    description = "Lays Wadi's worker package on the nodes."
  }

  group "prefetch" {
    restart {
      attempts = 5
      interval = "10m"
      delay    = "15s"
      mode     = "fail"
    }

    ephemeral_disk {
      size = 600
    }

    dynamic "volume" {
      for_each = local.volume == "" ? [] : [local.volume]
      labels   = ["data"]
      content {
        type   = "host"
        source = volume.value
      }
    }

    task "prefetch" {
      driver = var.driver

      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      dynamic "config" {
        for_each = var.driver == "docker" ? [1] : []
        content {
          image        = local.image
          network_mode = "host"
          entrypoint   = ["/bin/sh", "${NOMAD_TASK_DIR}/prefetch.sh"]
        }
      }

      dynamic "config" {
        for_each = var.driver == "docker" ? [] : [1]
        content {
          command = "/bin/sh"
          args    = ["${NOMAD_TASK_DIR}/prefetch.sh"]
        }
      }

      artifact {
        source      = local.source
        destination = "local/wadi"
        dynamic "options" {
          for_each = var.artifact_checksum == "" ? [] : [var.artifact_checksum]
          content {
            checksum = options.value
          }
        }
      }

      dynamic "volume_mount" {
        for_each = local.volume == "" ? [] : [1]
        content {
          volume      = "data"
          destination = var.directory
        }
      }

      identity {
        env         = true
        change_mode = "noop"
      }

      template {
        destination = "${NOMAD_TASK_DIR}/prefetch.sh"
        change_mode = "noop"
        data        = <<-SCRIPT
          set -eu
          root="${var.directory}"
          release="${local.release}"
          mkdir -p "$root"
          if [ ! -x "$root/$release/bin/wadi" ]; then
            # Whole or not at all: workers may start at any moment.
            rm -rf "$root/.$release.part"
            cp -R "$NOMAD_TASK_DIR/wadi" "$root/.$release.part"
            chmod -R a+rX "$root/.$release.part"
            mv -T "$root/.$release.part" "$root/$release"
          fi
          touch "$root/$release"
          "$root/$release/bin/wadi" --version
          # Older ones, but not those that processes still run from.
          ls -1t "$root" | tail -n +${var.keep + 1} | while read -r old; do
            ls -l /proc/[0-9]*/exe 2>/dev/null | grep -q " $root/$old/" || rm -rf "$root/$old"
          done
          %{if var.mark != ""~}
          "$root/$release/bin/node" -e '
            const body = JSON.stringify({ Meta: { [process.argv[1]]: process.argv[2] } });
            const headers = { Authorization: "Bearer " + process.env.NOMAD_TOKEN };
            const options = { socketPath: process.env.NOMAD_SECRETS_DIR + "/api.sock", path: "/v1/client/metadata", method: "POST", headers };
            require("node:http").request(options, async (answer) => {
              let text = "";
              for await (const piece of answer) text += piece;
              if (answer.statusCode === 200) return console.log("marked this node: " + process.argv[1] + " = " + process.argv[2]);
              console.error("this node could not be marked: " + text.trim() + ": apply nomad/prefetch.policy.hcl, or set mark to nothing");
              process.exitCode = 1;
            }).end(body);
          ' "${var.mark}" "$release"
          %{endif~}
        SCRIPT
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
