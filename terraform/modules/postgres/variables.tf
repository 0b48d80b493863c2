# What the database is told.

variable "name" {
  type        = string
  description = "Name of the installation."
}

variable "vpc_id" {
  type        = string
  description = "VPC of the database."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets, in at least two zones."
}

variable "client_security_group_id" {
  type        = string
  description = "Security group of Nomad's clients: nothing else reaches the database."
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the storage and the password."
}

variable "engine_version" {
  type        = string
  description = "Version of PostgreSQL, 15 or later; minor versions follow by themselves."
  default     = "17"
  validation {
    condition     = try(tonumber(split(".", var.engine_version)[0]) >= 15, false)
    error_message = "Wadi needs PostgreSQL 15 or later."
  }
}

variable "instance_class" {
  type        = string
  description = "Class of the database's instance."
  default     = "db.t4g.medium"
}

variable "storage_gb" {
  type        = object({ initial = number, max = number })
  description = "GiB of storage: at first, and what it may grow to."
  default     = { initial = 50, max = 500 }
  validation {
    condition     = var.storage_gb.initial >= 20 && var.storage_gb.max > var.storage_gb.initial
    error_message = "Storage must begin at 20 GiB or more, and the maximum must be larger than that."
  }
}

variable "multi_az" {
  type        = bool
  description = "Whether a standby in another zone takes over, which doubles the price."
  default     = true
}

variable "backup_days" {
  type        = number
  description = "Days of point-in-time recovery, 1 to 35."
  default     = 14
  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "RDS keeps backups for 1 to 35 days."
  }
}

variable "password_days" {
  type        = number
  description = "Days after which RDS changes the password by itself, 1 to 1000; afterwards terraform/platform has to be applied."
  default     = 365
  validation {
    condition     = var.password_days >= 1 && var.password_days <= 1000
    error_message = "Secrets Manager rotates after 1 to 1000 days."
  }
}

variable "deletion_protection" {
  type        = bool
  description = "Whether AWS refuses to delete the database. To destroy an installation, apply false first."
  default     = true
}
