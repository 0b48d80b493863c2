variable "nomad_address" {
  type        = string
  description = "URL of Nomad's API; NOMAD_ADDR, or http://127.0.0.1:4646, if not given."
  default     = null

  validation {
    condition     = var.nomad_address == null || can(regex("^(https?|unix)://.+$", var.nomad_address))
    error_message = "The address of Nomad must be a URL such as http://127.0.0.1:4646."
  }
}

variable "acl" {
  type        = bool
  description = "Whether this Nomad enforces ACLs; then NOMAD_TOKEN has to be a management token."
  default     = false
  nullable    = false
}

variable "namespace" {
  type        = string
  description = "Namespace of all jobs."
  default     = "default"
  nullable    = false
}

variable "create_namespace" {
  type        = bool
  description = "Whether that namespace is to be made."
  default     = false
  nullable    = false
}

variable "driver" {
  type        = string
  description = "Task driver: raw_exec or exec; for docker use terraform/platform."
  default     = "raw_exec"
  nullable    = false

  validation {
    condition     = contains(["raw_exec", "exec"], var.driver)
    error_message = "The driver must be raw_exec or exec; for docker use terraform/platform with an image."
  }
}

variable "wadi" {
  type        = list(string)
  description = "Program of Wadi and the words before its subcommand, as the nodes have it; node and this checkout's dist/cli/main.js if not given."
  default     = null

  validation {
    condition     = var.wadi == null || try(length(var.wadi) > 0 && !strcontains(join("", var.wadi), ","), false)
    error_message = "The command of Wadi must have at least a program, such as [\"/usr/local/bin/wadi\"], and no commas."
  }
}

variable "artifact" {
  type        = string
  description = "URL of Wadi's package (npm run package -- --arch x64), which the nodes download; empty: wadi is on the nodes already."
  default     = ""
  nullable    = false
}

variable "artifact_checksum" {
  type        = string
  description = "Checksum of the package, sha256:…."
  default     = ""
  nullable    = false

  validation {
    condition     = (var.artifact == "") == (var.artifact_checksum == "")
    error_message = "artifact and artifact_checksum go together: what is downloaded is also checked."
  }
}

variable "worker_artifact" {
  type        = string
  description = "URL of the smaller package of workers; that of Wadi if empty."
  default     = ""
  nullable    = false
}

variable "worker_artifact_checksum" {
  type        = string
  description = "Checksum of the workers' package, sha256:…."
  default     = ""
  nullable    = false

  validation {
    condition     = (var.worker_artifact == "") == (var.worker_artifact_checksum == "")
    error_message = "worker_artifact and worker_artifact_checksum go together: what is downloaded is also checked."
  }
}

variable "jobs" {
  type        = set(string)
  description = "Jobs of nomad/ to run; controller and api, and postgres, prometheus and pushgateway where this machine has their programs, if not given."
  default     = null
}

variable "directory" {
  type        = string
  description = "Directory on the node for what has to last: the database and, unless checkpoint_url says otherwise, checkpoints."
  default     = "/var/lib/wadi"
  nullable    = false

  validation {
    condition     = can(regex("^/[^\"$\\s]+$", var.directory))
    error_message = "The directory must be an absolute path without spaces."
  }
}

variable "checkpoint_url" {
  type        = string
  description = "Where checkpoints are kept: a directory that all nodes share or s3://…; checkpoints in the directory above if empty."
  default     = ""
  nullable    = false
}

variable "settings" {
  type        = map(string)
  description = "More settings of Wadi by their names, such as { \"default-checkpoint-interval\" = \"5s\" }; no secrets."
  default     = {}
  nullable    = false
}

variable "values" {
  type        = any
  description = "Values for the variables of all jobs; a job takes those that it declares."
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.values))
    error_message = "The values must be an object: names of variables of the jobs and what they shall be."
  }
}

variable "job_values" {
  type        = any
  description = "Values for one job by its name, such as { api = { port = 8080 } }."
  default     = {}
  nullable    = false

  validation {
    condition     = can([for name, values in var.job_values : keys(values)])
    error_message = "The values of a job must be an object by the job's name, such as { api = { instances = 3 } }."
  }
}

variable "volumes" {
  type        = any
  description = "Dynamic host volumes to make, by name (Nomad 1.10 or later); see modules/platform."
  default     = {}
  nullable    = false
}

variable "secrets" {
  type        = map(map(string))
  description = "Secrets by job, such as { controller = { database_password = … } }; what is missing is made at random. Give it as TF_VAR_secrets, not in a file."
  default     = {}
  nullable    = false
  ephemeral   = true
}

variable "secrets_version" {
  type        = number
  description = "Add one to write secrets again."
  default     = 1
  nullable    = false

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "The version must be a whole number from 1."
  }
}
