# Whose states, and where.

variable "name" {
  type        = string
  description = "Name of the installation, as in terraform/aws."
  default     = "wadi"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "The name must begin with a letter and have 2 to 16 of a-z, 0-9 and -."
  }
}

variable "region" {
  type        = string
  description = "AWS region, such as eu-central-1."
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "The region must be named like eu-central-1."
  }
}
