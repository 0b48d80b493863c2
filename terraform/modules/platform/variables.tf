variable "jobs" {
  type        = set(string)
  description = "Jobs of nomad/ to run, by the names of their files: controller and api are Wadi itself."
  nullable    = false

  validation {
    condition     = length(setintersection(var.jobs, ["controller", "api"])) == 2
    error_message = "The jobs must contain controller and api: without them there is no Wadi."
  }

  validation {
    condition     = alltrue([for job in var.jobs : fileexists("${path.module}/../../../nomad/${job}.nomad.hcl") && job != "worker"])
    error_message = "Every job must be a file nomad/NAME.nomad.hcl; worker is a template that Wadi itself fills in. No such job: ${join(", ", [for job in var.jobs : job if !fileexists("${path.module}/../../../nomad/${job}.nomad.hcl") || job == "worker"])}."
  }
}

variable "namespace" {
  type        = string
  description = "Namespace of all jobs, the workers' too."
  default     = "default"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9-]{1,128}$", var.namespace))
    error_message = "A namespace is 1 to 128 letters, digits and hyphens."
  }
}

variable "create_namespace" {
  type        = bool
  description = "Whether the namespace is made here; false for one that is there, as default always is."
  default     = false
  nullable    = false

  validation {
    condition     = !(var.create_namespace && var.namespace == "default")
    error_message = "Every Nomad has the namespace default: name another one, or set create_namespace = false."
  }
}

variable "acl" {
  type        = bool
  description = "Whether this Nomad enforces ACLs: then jobs that need rights get their policies, and there are two roles for people."
  nullable    = false
}

variable "values" {
  type        = any
  description = "Values for the variables of all jobs (nomad/README.md lists them); a job takes those that it declares."
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.values))
    error_message = "The values must be an object: names of variables of the jobs and what they shall be."
  }
}

variable "job_values" {
  type        = any
  description = "Values for one job by its name, such as { api = { instances = 3 } }: preferred to values, and every one has to be declared by that job."
  default     = {}
  nullable    = false

  validation {
    condition     = can([for name, values in var.job_values : keys(values)])
    error_message = "The values of a job must be an object by the job's name, such as { api = { instances = 3 } }."
  }
}

variable "secrets" {
  type        = map(map(string))
  description = "Items of the variable nomad/jobs/wadi-NAME by the job's name, for secrets that come from elsewhere, such as { api = { database_password = … } }. What is missing is made, once, at random."
  default     = {}
  nullable    = false
  ephemeral   = true
}

variable "other_secrets" {
  type        = set(string)
  description = "Jobs that have items in secrets and none that is made at random, such as prometheus with an api_token."
  default     = []
  nullable    = false
}

variable "secrets_version" {
  type        = number
  description = "Add one to write secrets again: Terraform does not keep them and cannot see that they changed."
  default     = 1
  nullable    = false

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "The version must be a whole number from 1."
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
  description = "Dynamic host volumes to make, by name (Nomad 1.10 or later), for values such as volume of the job postgres. Terraform refuses to destroy them: they hold data."
  default     = {}
  nullable    = false
}

variable "purge_on_destroy" {
  type        = bool
  description = "Whether Nomad forgets jobs at once when they are destroyed; else it shows them as dead until it collects them."
  default     = true
  nullable    = false
}
