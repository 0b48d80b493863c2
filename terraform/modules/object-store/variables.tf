# What the buckets are told.

variable "name" {
  type        = string
  description = "Prefix of the buckets' names, unique in AWS: the installation's name, the account and the region."
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,48}$", var.name))
    error_message = "The prefix must have 2 to 49 of a-z, 0-9 and -, because a bucket's name has at most 63."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the objects."
}

variable "artifact_reader_arns" {
  type        = list(string)
  description = "Roles that may read the artifacts bucket; nobody else may, whatever other policies say."
  validation {
    condition     = length(var.artifact_reader_arns) > 0
    error_message = "The clients' role must be able to read the artifacts."
  }
}

variable "backup_days" {
  type        = number
  description = "Days that snapshots of Nomad and dumps of Postgres are kept."
  default     = 30
  validation {
    condition     = var.backup_days >= 1
    error_message = "Backups must be kept for at least one day."
  }
}
