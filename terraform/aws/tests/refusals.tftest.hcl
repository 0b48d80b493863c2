# What the root refuses before anything is made, each with one message.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region        = "eu-central-1"
  allowed_cidrs = []
}

run "the_whole_internet" {
  command = plan
  variables {
    allowed_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "half_of_the_internet" {
  command = plan
  variables {
    allowed_cidrs = ["128.0.0.0/1"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "the_whole_internet_if_said_expressly" {
  command = plan
  variables {
    allowed_cidrs = ["0.0.0.0/0"]
    public_access = true
    domain        = { name = "wadi.example.com", zone_id = "Z0123456789" }
  }
  assert {
    condition     = output.cluster.nomad.address == "https://nomad.wadi.example.com"
    error_message = "whoever says so gets it"
  }
}

run "an_address_that_is_none" {
  command = plan
  variables {
    allowed_cidrs = ["203.0.113.0"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "two_zones" {
  command = plan
  variables {
    zones = ["eu-central-1a", "eu-central-1b"]
  }
  expect_failures = [var.zones]
}

run "a_zone_for_a_region" {
  command = plan
  variables {
    region = "eu-central-1a"
  }
  expect_failures = [var.region]
}

run "a_name_too_long_for_a_bucket" {
  command = plan
  variables {
    name = "a-name-that-is-much-too-long"
  }
  expect_failures = [var.name]
}

run "services_on_spot_instances" {
  command = plan
  variables {
    client_pools = { default = { instance_types = ["m7g.large"], max = 4, spot = true } }
  }
  expect_failures = [var.service_pool]
}

run "services_on_a_pool_that_is_none" {
  command = plan
  variables {
    service_pool = "services"
  }
  expect_failures = [var.service_pool]
}

run "a_port_of_nomads" {
  command = plan
  variables {
    ui_port = 25000
  }
  expect_failures = [var.ui_port]
}

run "a_domain_without_a_zone" {
  command = plan
  variables {
    domain = { name = "wadi.example.com", zone_id = "example.com" }
  }
  expect_failures = [var.domain]
}
