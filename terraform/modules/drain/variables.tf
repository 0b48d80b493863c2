# What draining is told.

variable "name" {
  type        = string
  description = "Name of the installation."
}

variable "groups" {
  type        = map(object({ name = string, arn = string, role = string }))
  description = "Auto-scaling groups: name, ARN and what its instances are (server or client)."
  validation {
    condition     = alltrue([for group in values(var.groups) : contains(["server", "client"], group.role)])
    error_message = "A group's role must be server or client."
  }
}

variable "instance_role_names" {
  type        = map(string)
  description = "IAM roles of the instances, by server and client."
  validation {
    condition     = toset(keys(var.instance_role_names)) == toset(["server", "client"])
    error_message = "The roles of servers and of clients are needed."
  }
}

variable "deadline_minutes" {
  type        = number
  description = "Minutes that a client may take until no task is left; then what is left is killed. Workers usually leave within one checkpoint."
  default     = 30
  validation {
    condition     = var.deadline_minutes >= 2 && var.deadline_minutes <= 600
    error_message = "The deadline must be 2 to 600 minutes."
  }
}
