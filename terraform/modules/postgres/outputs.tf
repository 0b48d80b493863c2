# Where the database is, and where its password is.

output "host" {
  description = "Name of the database's host."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Port of the database."
  value       = aws_db_instance.this.port
}

output "name" {
  description = "Name of the database."
  value       = aws_db_instance.this.db_name
}

output "user" {
  description = "Role that Wadi logs in as; it owns the database."
  value       = aws_db_instance.this.username
}

output "secret_arn" {
  description = "Secret of Secrets Manager that holds {\"username\", \"password\"}."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
