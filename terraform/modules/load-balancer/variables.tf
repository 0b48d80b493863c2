# What the load balancer is told.

variable "name" {
  type        = string
  description = "Name of the installation."
}

variable "vpc_id" {
  type        = string
  description = "VPC of the load balancer."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Public subnets, one per zone."
}

variable "domain" {
  type        = object({ name = string, zone_id = string })
  description = "Domain of the UI and API (nomad. and oidc. are put before it), and the public Route 53 zone that holds it."
}

variable "allowed_cidrs" {
  type        = list(string)
  description = "Addresses that may reach the UI, Wadi's API and Nomad's API; none: the discovery documents alone are reachable."
  validation {
    condition     = length(var.allowed_cidrs) <= 80 && alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "At most 80 blocks of addresses, such as 203.0.113.0/24."
  }
}

variable "ui_port" {
  type        = number
  description = "Static port of Wadi's API on the clients."
  validation {
    condition     = var.ui_port >= 1024 && var.ui_port < 20000
    error_message = "The port must be 1024 to 19999."
  }
}

variable "servers" {
  type        = object({ security_group_id = string, group_name = string })
  description = "Security group and auto-scaling group of Nomad's servers."
}

variable "clients" {
  type        = object({ security_group_id = string, group_name = string })
  description = "Security group and auto-scaling group of the clients on which the API runs."
}

variable "deletion_protection" {
  type        = bool
  description = "Whether AWS refuses to delete the load balancer."
  default     = true
}
