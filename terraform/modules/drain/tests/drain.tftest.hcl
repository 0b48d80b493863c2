# Every group waits for its instances, and an instance may let go of its own group only.

mock_provider "aws" {}

variables {
  name = "wadi"
  groups = {
    servers = { name = "wadi-servers", arn = "arn:servers", role = "server" }
    workers = { name = "wadi-clients-workers", arn = "arn:workers", role = "client" }
  }
  instance_role_names = { server = "wadi-servers", client = "wadi-clients" }
}

run "every_group_asks_before_it_ends_an_instance" {
  assert {
    condition     = alltrue([for hook in aws_autoscaling_lifecycle_hook.terminating : hook.lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING" && hook.name == output.environment.WADI_DRAIN_HOOK]) && length(aws_autoscaling_lifecycle_hook.terminating) == 2
    error_message = "each group needs the hook that instances complete"
  }
  assert {
    condition     = alltrue([for hook in aws_autoscaling_lifecycle_hook.terminating : hook.heartbeat_timeout >= 120 && hook.default_result == "CONTINUE"])
    error_message = "a lost instance is given up after a while, a living one beats every 30 seconds"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.lifecycle["client"].policy).Statement[0].Resource == ["arn:workers"] && jsondecode(aws_iam_role_policy.lifecycle["server"].policy).Statement[0].Resource == ["arn:servers"]
    error_message = "clients must not complete for servers"
  }
}

run "the_script_gets_the_deadline" {
  command = plan
  variables {
    deadline_minutes = 10
  }
  assert {
    condition     = output.environment.WADI_DRAIN_DEADLINE_SECONDS == "600" && alltrue([for file in output.files : length(file.content) > 100])
    error_message = "the deadline must reach the instance"
  }
}

run "refuses_a_group_of_neither_kind" {
  command = plan
  variables {
    groups = { other = { name = "other", arn = "arn:other", role = "other" } }
  }
  expect_failures = [var.groups]
}
