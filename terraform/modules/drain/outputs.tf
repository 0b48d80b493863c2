# What instances need in order to drain themselves.

output "environment" {
  description = "Settings of files/drain.sh, part of /etc/wadi/cluster.env."
  value       = local.environment
}

output "files" {
  description = "Files of an instance: path, mode and content."
  value = [
    { path = "/usr/local/lib/wadi/drain.sh", mode = "0755", content = file("${path.module}/files/drain.sh") },
    { path = "/etc/systemd/system/wadi-drain.service", mode = "0644", content = file("${path.module}/files/wadi-drain.service") },
  ]
}

output "hooks" {
  description = "Groups that wait for their instances, with the seconds that an instance may be silent."
  value       = { for key, hook in aws_autoscaling_lifecycle_hook.terminating : key => hook.heartbeat_timeout }
}
