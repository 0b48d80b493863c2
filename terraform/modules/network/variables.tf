# What the network is told.

variable "name" {
  type        = string
  description = "Name of the installation: the prefix of every name."
}

variable "cidr" {
  type        = string
  description = "Addresses of the VPC, a block of 16 to 20 bits."
  default     = "10.20.0.0/16"
  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "The VPC needs an IPv4 block of 16 to 20 bits, such as 10.20.0.0/16."
  }
}

variable "zones" {
  type        = list(string)
  description = "Three availability zones, by name."
  validation {
    condition     = length(distinct(var.zones)) == 3
    error_message = "Three different availability zones are needed: a quorum of servers must survive the loss of one."
  }
}

variable "nat" {
  type        = string
  description = "NAT gateways: single (cheaper; its zone's loss cuts the others off from what is outside AWS) or per-zone."
  default     = "per-zone"
  validation {
    condition     = contains(["single", "per-zone"], var.nat)
    error_message = "The NAT must be single or per-zone."
  }
}

variable "interface_endpoints" {
  type        = set(string)
  description = "AWS services reached by a private endpoint instead of NAT, such as [\"ssm\", \"secretsmanager\"]. Each costs by the hour and zone."
  default     = []
}
