# Wadi's jobs on a Nomad that is there already: namespace, policies, secrets, volumes and the jobs of nomad/, in the order in which they need each
# other. Nothing but Nomad's provider; no secret is ever in the state. Used by terraform/local and terraform/platform, usable from your own root.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    nomad = {
      source  = "hashicorp/nomad"
      version = "~> 2.6"
    }
  }
}
