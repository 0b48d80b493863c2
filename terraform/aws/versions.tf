# Versions and provider. The state is a file here until there is a backend_override.tf, which terraform/state writes out: with more than one operator, or
# anything of value, let it be in a bucket. It holds no secret, but whoever may change it owns the cluster.

terraform {
  required_version = ">= 1.11, < 2.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = merge({ wadi = var.name, managed-by = "terraform" }, var.tags)
  }
}
