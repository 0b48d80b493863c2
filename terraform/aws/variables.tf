# What an operator decides. Only region and allowed_cidrs have no default.

variable "name" {
  type        = string
  description = "Name of the installation: the prefix of every name. There is one Wadi per region and name."
  default     = "wadi"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "The name must begin with a letter and have 2 to 16 of a-z, 0-9 and -, because bucket and load balancer names are made of it."
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

variable "zones" {
  type        = list(string)
  description = "Three availability zones; none: the first three of the region."
  default     = []
  validation {
    condition     = contains([0, 3], length(distinct(var.zones))) && length(distinct(var.zones)) == length(var.zones)
    error_message = "Name three different zones, or none."
  }
}

variable "allowed_cidrs" {
  type        = list(string)
  description = "Addresses that may reach UI, API and Nomad on 443; [] where operators come through SSM alone. Without a domain nothing listens on 443."
  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "Each must be a block of IPv4 addresses, such as 203.0.113.0/24."
  }
  validation {
    condition     = var.public_access || alltrue([for cidr in var.allowed_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "A block wider than /8 opens Nomad's API to the internet; if you mean that, set public_access = true."
  }
  validation {
    condition     = length(var.allowed_cidrs) <= 80
    error_message = "A load balancer's listener holds at most 80 blocks here: four per rule, two hosts."
  }
}

variable "public_access" {
  type        = bool
  description = "Says expressly that allowed_cidrs may be the whole internet."
  default     = false
}

variable "domain" {
  type        = object({ name = string, zone_id = string })
  description = "Domain of the UI and its public zone in Route 53; nomad. and oidc. are put before it. null: no load balancer, no workload identity in AWS; everything goes through SSM."
  default     = null
  validation {
    condition     = var.domain == null || try(can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain.name)) && startswith(var.domain.zone_id, "Z"), false)
    error_message = "The domain needs a name such as wadi.example.com and the id of its zone, which begins with Z."
  }
}

variable "namespace" {
  type        = string
  description = "Nomad's namespace of Wadi's jobs; rights of tasks hang on it."
  default     = "default"
  validation {
    condition     = can(regex("^[a-zA-Z0-9-]{1,128}$", var.namespace))
    error_message = "A namespace has 1 to 128 letters, digits and -."
  }
}

variable "nomad" {
  type = object({
    version   = string
    sha256    = object({ amd64 = string, arm64 = string })
    downloads = optional(string, "https://releases.hashicorp.com/nomad")
  })
  description = "Version of Nomad and the SHA-256 of its archives; an instance refuses any other. Changing it upgrades the cluster."
  default = {
    version = "1.11.2"
    sha256 = {
      amd64 = "e042b0f6f6648b149be7cfddac832214cf8ca17725e5f0e420b5b0547532bdcd"
      arm64 = "c1524421657c97117ffaa5130f8ca54ad10e8e083ecb849e1d864603ceb60825"
    }
  }
}

variable "client_nomad" {
  type = object({
    version   = string
    sha256    = object({ amd64 = string, arm64 = string })
    downloads = optional(string, "https://releases.hashicorp.com/nomad")
  })
  description = "Nomad of the clients during an upgrade, which reaches servers first; null: that of the servers."
  default     = null
}

variable "servers" {
  type = object({
    count         = optional(number, 3)
    instance_type = optional(string, "t4g.medium")
    architecture  = optional(string, "arm64")
    disk_gb       = optional(number, 40)
  })
  description = "Nomad's servers: 3 or 5."
  default     = {}
}

variable "client_pools" {
  type = map(object({
    instance_types = list(string)
    architecture   = optional(string, "arm64")
    min            = optional(number, 1)
    max            = number
    initial        = optional(number)
    spot           = optional(bool, false)
    disk_gb        = optional(number, 100)
    node_class     = optional(string, "")
    meta           = optional(map(string), {})
  }))
  description = "Client pools by name: each is a node pool of Nomad and an auto-scaling group. By default one for services, on demand, and one for workers."
  default = {
    default = { instance_types = ["m7g.large"], min = 2, max = 4 }
    workers = { instance_types = ["c7g.xlarge", "m7g.xlarge", "c6g.xlarge"], min = 1, max = 10 }
  }
}

variable "service_pool" {
  type        = string
  description = "Pool on which controllers and API run; the load balancer reaches its clients."
  default     = "default"
  validation {
    condition     = contains(keys(var.client_pools), var.service_pool)
    error_message = "The service pool must be one of client_pools."
  }
  validation {
    condition     = try(!var.client_pools[var.service_pool].spot, true)
    error_message = "Controllers and API belong on instances that AWS does not take back: the service pool must not be spot."
  }
}

variable "docker" {
  type        = bool
  description = "Whether clients have Docker besides the driver exec."
  default     = false
}

variable "image_generation" {
  type        = number
  description = "Raise it by one to take the newest Amazon Linux 2023; until then instances keep the image of the first apply."
  default     = 1
  validation {
    condition     = var.image_generation >= 1 && floor(var.image_generation) == var.image_generation
    error_message = "The generation counts from 1."
  }
}

variable "images" {
  type        = object({ amd64 = string, arm64 = string })
  description = "AMIs of your own, derived from Amazon Linux 2023, by architecture; null: Amazon's."
  default     = null
}

variable "vpc" {
  type = object({
    cidr                = optional(string, "10.20.0.0/16")
    nat                 = optional(string, "per-zone")
    interface_endpoints = optional(set(string), [])
  })
  description = "Addresses, NAT gateways (single or per-zone) and private endpoints of AWS's services."
  default     = {}
}

variable "postgres" {
  type = object({
    engine_version = optional(string, "17")
    instance_class = optional(string, "db.t4g.medium")
    storage_gb     = optional(object({ initial = number, max = number }), { initial = 50, max = 500 })
    multi_az       = optional(bool, true)
    backup_days    = optional(number, 14)
    password_days  = optional(number, 365)
  })
  description = "RDS for PostgreSQL; null: Postgres is a job on Nomad (not for production: a client's disk goes with it)."
  default     = {}
}

variable "ui_port" {
  type        = number
  description = "Static port of Wadi's API on the clients of the service pool."
  default     = 5115
  validation {
    condition     = var.ui_port >= 1024 && var.ui_port < 20000
    error_message = "The port must be 1024 to 19999: below are system ports, above Nomad's dynamic ones."
  }
}

variable "certificates" {
  type = object({
    generations      = optional(list(number), [1])
    issuing          = optional(number, 1)
    certificate_days = optional(number, 30)
    supplied         = optional(bool, false)
  })
  description = "Nomad's private authorities: which are trusted, which one issues, the life of what it issues, and whether you supply them."
  default     = {}
}

variable "gossip_key_version" {
  type        = number
  description = "Raise it by one to change the key of the servers' gossip."
  default     = 1
  validation {
    condition     = var.gossip_key_version >= 1 && floor(var.gossip_key_version) == var.gossip_key_version
    error_message = "The version counts from 1."
  }
}

variable "root_key_rotation_hours" {
  type        = number
  description = "Hours after which Nomad takes a new root key."
  default     = 720
  validation {
    condition     = var.root_key_rotation_hours >= 24
    error_message = "A root key must live for at least 24 hours, so that identities outlive it."
  }
}

variable "drain_minutes" {
  type        = number
  description = "Minutes that a client may take to get rid of its tasks before what is left is killed."
  default     = 30
  validation {
    condition     = var.drain_minutes >= 2 && var.drain_minutes <= 600
    error_message = "The deadline must be 2 to 600 minutes."
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

variable "deletion_protection" {
  type        = bool
  description = "Whether AWS refuses to delete database and load balancer. To destroy an installation, apply false first."
  default     = true
}

variable "secret_recovery_days" {
  type        = number
  description = "Days for which a destroyed secret can be restored, and its name not be used again: 0, or 7 to 30."
  default     = 7
  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "Secrets Manager waits 0, or 7 to 30 days."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything."
  default     = {}
}
