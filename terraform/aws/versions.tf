# Versions, provider and where the state is. The state holds no secret, but whoever may write it owns the cluster: keep it in a bucket of its own
# (terraform/README.md, "The state") and name that on the command line: terraform -chdir=terraform/aws init -backend-config=state.s3.tfbackend

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

  backend "s3" {
    use_lockfile = true
    encrypt      = true
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = merge({ wadi = var.name, managed-by = "terraform" }, var.tags)
  }
}
