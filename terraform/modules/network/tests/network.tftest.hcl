# Three zones, and what NAT costs or saves.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

variables {
  name  = "wadi"
  zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

run "three_zones_each_with_its_own_way_out" {
  assert {
    condition     = length(distinct(concat([for subnet in aws_subnet.private : subnet.cidr_block], [for subnet in aws_subnet.public : subnet.cidr_block]))) == 6
    error_message = "six subnets need six blocks"
  }
  assert {
    condition     = aws_subnet.private["eu-central-1c"].cidr_block == "10.20.32.0/20" && aws_subnet.public["eu-central-1a"].cidr_block == "10.20.240.0/24"
    error_message = "private blocks begin at the start of the VPC's, public ones near the end"
  }
  assert {
    condition     = length(output.private_subnet_ids) == 3 && length(output.public_subnet_ids) == 3
    error_message = "there is one subnet of each kind per zone"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(output.nat_addresses) == 3
    error_message = "the loss of a zone must not cut off the others"
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && length(aws_vpc_endpoint.s3.route_table_ids) == 3 && aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-central-1.s3"
    error_message = "S3 must be reached by the gateway endpoint from every zone"
  }
}

run "or_one_for_all" {
  variables {
    nat = "single"
  }
  assert {
    condition     = one(keys(aws_nat_gateway.this)) == "eu-central-1a" && length(aws_route.private) == 3
    error_message = "all zones must use the one gateway"
  }
}

run "endpoints_are_reached_by_443_from_inside" {
  variables {
    interface_endpoints = ["ssm", "secretsmanager"]
  }
  assert {
    condition     = length(aws_vpc_endpoint.interface) == 2 && aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.20.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443
    error_message = "endpoints are for the VPC"
  }
}

run "refuses_fewer_zones" {
  command = plan
  variables {
    zones = ["eu-central-1a", "eu-central-1a", "eu-central-1b"]
  }
  expect_failures = [var.zones]
}

run "refuses_a_block_too_small" {
  command = plan
  variables {
    cidr = "10.0.0.0/24"
  }
  expect_failures = [var.cidr]
}
