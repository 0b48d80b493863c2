# cluster and artifacts come from cluster.auto.tfvars.json, which "wadi deploy upload" writes out of the output of terraform/aws.

variable "cluster" {
  type = object({
    name      = string
    region    = string
    namespace = string
    nomad = object({
      address            = string
      region             = string
      version            = string
      ca_parameter       = optional(string)
      agent_ca_parameter = optional(string)
      token_secret_arn   = string
      tunnel             = optional(string)
      node_pools         = list(string)
      service_pool       = string
    })
    database = optional(object({
      host       = string
      port       = number
      name       = string
      user       = string
      secret_arn = string
    }))
    buckets = object({
      checkpoints = string
      artifacts   = string
      backups     = string
    })
    identity = object({
      mode     = string
      issuer   = optional(string)
      audience = string
      roles = object({
        checkpoints = optional(string)
        backup      = optional(string)
        autoscaler  = optional(string)
      })
      gives_up = optional(string)
    })
    load_balancer = object({
      url              = optional(string)
      port             = number
      target_group_arn = optional(string)
    })
    autoscaling_groups = map(object({
      name = string
      min  = number
      max  = number
    }))
  })
  description = "The output cluster of terraform/aws; null for another Nomad, which NOMAD_ADDR and NOMAD_TOKEN name."
}

variable "artifacts" {
  type = map(object({
    amd64 = optional(object({ url = string, checksum = string }))
    arm64 = optional(object({ url = string, checksum = string }))
  }))
  description = "Packages that \"wadi deploy upload\" stored: wadi and worker, each with URL and checksum by processor."
  default     = null

  validation {
    condition     = var.artifacts == null || try(length(setsubtract(["wadi", "worker"], keys(var.artifacts))) == 0, false)
    error_message = "The artifacts must be those of wadi and of worker, as \"wadi deploy upload\" writes them."
  }

  validation {
    condition     = var.artifacts == null || try(alltrue([for package in flatten([for one in values(var.artifacts) : [for each in [one.amd64, one.arm64] : each if each != null]]) : can(regex("^sha256:[0-9a-f]{64}$", package.checksum))]), false)
    error_message = "Every checksum of a package must be sha256: and 64 hexadecimal digits."
  }
}

variable "architecture" {
  type        = string
  description = "Processors of the nodes, amd64 or arm64; what the nodes say, if not given."
  default     = null

  validation {
    condition     = var.architecture == null || try(contains(["amd64", "arm64"], var.architecture), false)
    error_message = "The architecture must be amd64 or arm64."
  }
}

variable "driver" {
  type        = string
  description = "Task driver of Wadi's own jobs and of workers."
  default     = "exec"
  nullable    = false

  validation {
    condition     = contains(["exec", "raw_exec", "docker"], var.driver)
    error_message = "The driver must be exec, raw_exec or docker."
  }
}

variable "images" {
  type        = map(string)
  description = "Images by job, each by digest, such as { prometheus = \"prom/prometheus@sha256:…\" }; wadi is that of Wadi's own jobs. A job of another program runs where it has an image."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "Every image must be named by its digest, name@sha256:…."
  }
}

variable "jobs" {
  type        = set(string)
  description = "Jobs of nomad/ to run; if not given: controller and api, postgres where the cluster has no database, and prometheus, pushgateway, grafana and autoscaler where there are images for them."
  default     = null
}

variable "worker_pool" {
  type        = string
  description = "Node pool of the workers of pipelines; workers where the cluster has such a pool, else default, if not given."
  default     = null

  validation {
    condition     = var.worker_pool == null || var.cluster == null || try(contains(concat(var.cluster.nomad.node_pools, ["default"]), var.worker_pool), false)
    error_message = "The cluster has no such node pool: it has ${try(join(", ", var.cluster.nomad.node_pools), "none")}."
  }
}

variable "nomad_address" {
  type        = string
  description = "URL of Nomad's API where cluster is null; NOMAD_ADDR if not given."
  default     = null
}

variable "namespace" {
  type        = string
  description = "Namespace where cluster is null."
  default     = "default"
  nullable    = false
}

variable "create_namespace" {
  type        = bool
  description = "Whether a namespace other than default is made here."
  default     = true
  nullable    = false
}

variable "acl" {
  type        = bool
  description = "Whether this Nomad enforces ACLs, as that of terraform/aws does."
  default     = true
  nullable    = false
}

variable "settings" {
  type        = map(string)
  description = "More settings of Wadi by their names; no secrets."
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
  description = "Values for one job by its name, such as { controller = { memory = 2048 } }."
  default     = {}
  nullable    = false

  validation {
    condition     = can([for name, values in var.job_values : keys(values)])
    error_message = "The values of a job must be an object by the job's name, such as { api = { instances = 3 } }."
  }
}

variable "volumes" {
  type = map(object({
    node_pool    = optional(string)
    node_id      = optional(string)
    capacity_min = optional(string)
    capacity_max = optional(string)
    plugin       = optional(string, "mkdir")
    parameters   = optional(map(string))
  }))
  description = "Dynamic host volumes to make, by name (Nomad 1.10 or later)."
  default     = {}
  nullable    = false
}

variable "secrets" {
  type        = map(map(string))
  description = "Secrets by job that come from elsewhere, as TF_VAR_secrets; Postgres' password is the cluster's own."
  default     = {}
  nullable    = false
  ephemeral   = true
}

variable "other_secrets" {
  type        = set(string)
  description = "Jobs that have items in secrets and none that is made at random, such as prometheus."
  default     = []
  nullable    = false
}

variable "secrets_version" {
  type        = number
  description = "Add one to write secrets again, after Postgres' password was rotated, for example."
  default     = 1
  nullable    = false

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "The version must be a whole number from 1."
  }
}
