# What the cluster is told.

variable "name" {
  type        = string
  description = "Name of the installation: the prefix of every name, and the value of the tag by which servers are found."
}

variable "region" {
  type        = string
  description = "AWS region; it is Nomad's datacentre too."
}

variable "nomad_region" {
  type        = string
  description = "Nomad's region."
  default     = "global"
}

variable "network" {
  type        = object({ vpc_id = string, subnet_ids = list(string) })
  description = "VPC and private subnets, one per zone."
}

variable "nomad" {
  type = object({
    version   = string
    sha256    = object({ amd64 = string, arm64 = string })
    downloads = optional(string, "https://releases.hashicorp.com/nomad")
  })
  description = "Version of Nomad and the SHA-256 of its archives, as HashiCorp's nomad_VERSION_SHA256SUMS has them."
  validation {
    condition     = can(regex("^(1\\.(9|[1-9][0-9])|[2-9]\\.[0-9]+)\\.[0-9]+$", var.nomad.version))
    error_message = "Nomad 1.9 or later is needed, because root keys are wrapped by KMS."
  }
  validation {
    condition     = alltrue([for sum in values(var.nomad.sha256) : can(regex("^[0-9a-f]{64}$", sum))])
    error_message = "A checksum is 64 hexadecimal digits."
  }
}

variable "client_nomad" {
  type = object({
    version   = string
    sha256    = object({ amd64 = string, arm64 = string })
    downloads = optional(string, "https://releases.hashicorp.com/nomad")
  })
  description = "Nomad of the clients while the servers are upgraded first; null: that of the servers."
  default     = null
  validation {
    condition     = var.client_nomad == null || try(alltrue([for sum in values(var.client_nomad.sha256) : can(regex("^[0-9a-f]{64}$", sum))]), false)
    error_message = "A checksum is 64 hexadecimal digits."
  }
}

variable "servers" {
  type = object({
    count         = optional(number, 3)
    instance_type = optional(string, "t4g.medium")
    architecture  = optional(string, "arm64")
    disk_gb       = optional(number, 40)
  })
  description = "Servers: 3 survive the loss of one, 5 of two."
  default     = {}
  validation {
    condition     = contains([3, 5], var.servers.count)
    error_message = "There must be 3 or 5 servers."
  }
  validation {
    condition     = contains(["amd64", "arm64"], var.servers.architecture)
    error_message = "The architecture must be amd64 or arm64."
  }
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
  description = "Client pools by name: each is a node pool of Nomad and an auto-scaling group."
  validation {
    condition     = length(var.client_pools) > 0 && alltrue([for name in keys(var.client_pools) : can(regex("^[a-z0-9][a-z0-9-]{0,30}$", name)) && !contains(["all"], name)])
    error_message = "There must be a pool, and its name has 1 to 31 of a-z, 0-9 and -; \"all\" is Nomad's own."
  }
  validation {
    condition     = alltrue([for pool in values(var.client_pools) : pool.min >= 0 && pool.max >= pool.min && pool.max > 0 && length(pool.instance_types) > 0 && contains(["amd64", "arm64"], pool.architecture)])
    error_message = "A pool needs instance types, amd64 or arm64, and 0 <= min <= max with at least one client."
  }
}

variable "images" {
  type        = object({ amd64 = string, arm64 = string })
  description = "AMIs of Amazon Linux 2023 by architecture."
}

variable "docker" {
  type        = bool
  description = "Whether clients have Docker besides the driver exec."
  default     = false
}

variable "oidc_issuer" {
  type        = string
  description = "Issuer of workload identities; null: there is none, and tasks use the instance's rights."
  default     = null
}

variable "certificates" {
  type = object({
    generations      = optional(list(number), [1])
    issuing          = optional(number, 1)
    certificate_days = optional(number, 30)
    supplied         = optional(bool, false)
  })
  description = "Private authorities that are trusted, the one that issues, and the life of what it issues. supplied: you put {certificate, private_key} into the secret yourself."
  default     = {}
  validation {
    condition     = contains(var.certificates.generations, var.certificates.issuing) && length(distinct(var.certificates.generations)) == length(var.certificates.generations)
    error_message = "The issuing authority must be one of the trusted generations, each named once."
  }
  validation {
    condition     = length(var.certificates.generations) <= 3
    error_message = "At most three authorities fit into the parameter that holds their certificates."
  }
  validation {
    condition     = var.certificates.certificate_days >= 3 && var.certificates.certificate_days <= 365
    error_message = "Certificates must live for 3 to 365 days."
  }
}

variable "gossip_key_version" {
  type        = number
  description = "Raise it by one to change the key of the gossip."
  default     = 1
  validation {
    condition     = var.gossip_key_version >= 1 && floor(var.gossip_key_version) == var.gossip_key_version
    error_message = "The version counts from 1."
  }
}

variable "root_key_rotation_hours" {
  type        = number
  description = "Hours after which Nomad takes a new root key for variables and identities."
  default     = 720
  validation {
    condition     = var.root_key_rotation_hours >= 24
    error_message = "A root key must live for at least 24 hours, so that identities outlive it."
  }
}

variable "backups_bucket" {
  type        = object({ name = string, arn = string })
  description = "Bucket of Nomad's snapshots."
}

variable "artifacts_bucket_arn" {
  type        = string
  description = "Bucket of packages, which clients read."
}

variable "kms_key_arn" {
  type        = string
  description = "Key of secrets, buckets and Nomad's root keys."
}

variable "drain" {
  type = object({
    environment = map(string)
    files       = list(object({ path = string, mode = string, content = string }))
  })
  description = "What instances need to drain themselves: outputs of the module drain."
}

variable "ui_port" {
  type        = number
  description = "Static port of Wadi's API, which clients reach among themselves."
  default     = 5115
  validation {
    condition     = var.ui_port >= 1024 && var.ui_port < 20000
    error_message = "The port must be 1024 to 19999."
  }
}

variable "secret_recovery_days" {
  type        = number
  description = "Days for which a destroyed secret can be restored: 0, or 7 to 30."
  default     = 7
  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "Secrets Manager waits 0, or 7 to 30 days."
  }
}
