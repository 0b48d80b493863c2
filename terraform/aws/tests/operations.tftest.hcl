# Rotations, upgrade and destruction, as far as a plan shows them: what changes, and above all what does not.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region        = "eu-central-1"
  allowed_cidrs = []
}

run "installed" {
  assert {
    condition     = output.cluster.nomad.version == var.nomad.version
    error_message = "the pinned version is the cluster's"
  }
  assert {
    condition     = toset(keys(module.drain.hooks)) == toset(["servers", "clients-default", "clients-workers"])
    error_message = "each group needs a hook"
  }
  assert {
    condition     = terraform_data.images.output.arm64 == "ami-0123456789abcdef0" && terraform_data.images.triggers_replace[0] == 1
    error_message = "instances must keep the image of the first apply"
  }
  assert {
    condition     = alltrue([for command in ["shell_on_a_server", "renew_certificates", "rotate_gossip", "rotate_root_key", "save_snapshot"] : length(output.operations[command]) > 0])
    error_message = "each operation needs its command"
  }
}

run "rotations_leave_the_cluster_as_it_is" {
  command = plan
  variables {
    certificates       = { generations = [1, 2], issuing = 2 }
    gossip_key_version = 2
  }
  assert {
    condition     = output.cluster == run.installed.cluster
    error_message = "terraform/platform must not notice a rotation"
  }
}

run "an_upgrade_changes_the_version_alone" {
  command = plan
  variables {
    nomad = {
      version = "1.11.3"
      sha256 = {
        amd64 = "0000000000000000000000000000000000000000000000000000000000000001"
        arm64 = "0000000000000000000000000000000000000000000000000000000000000002"
      }
    }
  }
  assert {
    condition     = output.cluster == merge(run.installed.cluster, { nomad = merge(run.installed.cluster.nomad, { version = "1.11.3" }) })
    error_message = "an upgrade must keep every address, secret and bucket"
  }
}
