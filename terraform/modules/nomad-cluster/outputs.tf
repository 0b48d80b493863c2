# What the other modules, the root and the operator need of the cluster.

output "token_secret_arn" {
  description = "Secret that holds the management token."
  value       = aws_secretsmanager_secret.token.arn
  # Whoever reads the token wants to use it.
  depends_on = [aws_secretsmanager_secret_version.token]
}

output "gossip_secret_arn" {
  description = "Secret that holds the gossip's key."
  value       = aws_secretsmanager_secret.gossip.arn
}

output "ca_parameter" {
  description = "SSM parameter with the certificates of the trusted authorities, PEM; \"pending\" until the first server has started."
  value       = aws_ssm_parameter.ca.name
}

output "certificates_parameter" {
  description = "SSM parameter by which instances learn which authorities are trusted."
  value       = aws_ssm_parameter.certificates.name
}

output "server_group" {
  description = "Auto-scaling group of the servers."
  value       = { name = aws_autoscaling_group.servers.name, arn = aws_autoscaling_group.servers.arn, security_group_id = aws_security_group.servers.id }
}

output "client_groups" {
  description = "Auto-scaling group of every node pool."
  value = {
    for name, group in aws_autoscaling_group.clients : name => { name = group.name, arn = group.arn, min = group.min_size, max = group.max_size }
  }
}

output "client_security_group_id" {
  description = "Security group of the clients."
  value       = aws_security_group.clients.id
}

output "instance_role_names" {
  description = "IAM roles of the instances."
  value       = { server = aws_iam_role.instance["servers"].name, client = aws_iam_role.instance["clients"].name }
}

output "client_role_arn" {
  description = "IAM role of the clients."
  value       = aws_iam_role.instance["clients"].arn
}

output "configuration" {
  description = "Nomad's configuration as instances get it, and what they may do: for review and for tests; no secret is in it."
  value       = { server = local.server_configuration, clients = local.client_configuration, permissions = local.statements }
}

output "user_data" {
  description = "User data of servers (\"/server\") and of each pool, compressed, base64. Instances are replaced when it changes."
  value       = local.user_data
}

output "user_data_bytes" {
  description = "Bytes of each kind of instance's user data; AWS takes 16384."
  value       = { for name, data in local.user_data : name => length(data) * 3 / 4 }
}
