# What tasks' identities are told.

variable "name" {
  type        = string
  description = "Name of the installation."
}

variable "issuer" {
  type        = string
  description = "Public HTTPS address of the issuer of Nomad's workload identities; null: tasks use the rights of the instance they run on."
  default     = null
  validation {
    condition     = var.issuer == null || can(regex("^https://[^/]+$", var.issuer))
    error_message = "The issuer must be https:// and a host, without a path."
  }
}

variable "namespace" {
  type        = string
  description = "Nomad's namespace of the jobs."
}

variable "nomad_region" {
  type        = string
  description = "Nomad's region, with which the subject of an identity begins."
  default     = "global"
}

variable "client_role_name" {
  type        = string
  description = "Role of the clients' instances, which holds the tasks' rights where there is no issuer."
}

variable "buckets" {
  type        = object({ checkpoints = string, backups = string })
  description = "ARNs of the buckets."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the buckets."
}

variable "autoscaling_group_arns" {
  type        = list(string)
  description = "Groups that the autoscaler may resize."
}
