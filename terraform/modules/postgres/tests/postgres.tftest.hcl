# A database that keeps its password to itself and is not destroyed by mistake.

mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds-mock", kms_key_id = "mock", secret_status = "active" }]
    }
  }
}

variables {
  name                     = "wadi"
  vpc_id                   = "vpc-1"
  subnet_ids               = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_group_id = "sg-clients"
  kms_key_arn              = "arn:aws:kms:eu-central-1:123456789012:key/0"
}

run "the_database_keeps_its_password_and_itself" {
  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null && startswith(output.secret_arn, "arn:aws:secretsmanager:")
    error_message = "RDS must keep the password"
  }
  assert {
    condition     = aws_secretsmanager_secret_rotation.password.rotation_rules[0].automatically_after_days == 365
    error_message = "the password must not change every week"
  }
  assert {
    condition     = aws_db_instance.this.publicly_accessible == false && aws_vpc_security_group_ingress_rule.clients.referenced_security_group_id == "sg-clients" && aws_vpc_security_group_ingress_rule.clients.cidr_ipv4 == null
    error_message = "the port is for clients of Nomad"
  }
  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "connections without TLS must be refused"
  }
  assert {
    condition     = aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot == false && aws_db_instance.this.delete_automated_backups == false
    error_message = "the database must be protected and leave a snapshot"
  }
  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.backup_retention_period == 14 && aws_db_instance.this.storage_encrypted
    error_message = "standby, backups and encryption are the default"
  }
}

run "refuses_an_old_postgres" {
  command = plan
  variables {
    engine_version = "14.9"
  }
  expect_failures = [var.engine_version]
}
