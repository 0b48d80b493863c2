# A small installation: a few pipelines, one NAT gateway, one database server. Use it with: terraform apply -var-file sizes/small.tfvars
# What it costs is in terraform/README.md (npx tsx scripts/cost.ts).

servers = {
  count         = 3
  instance_type = "t4g.small"
  disk_gb       = 20
}

client_pools = {
  default = { instance_types = ["t4g.large"], min = 2, initial = 2, max = 3, disk_gb = 50 }
  workers = { instance_types = ["c7g.xlarge", "m7g.xlarge", "c6g.xlarge"], min = 1, initial = 1, max = 4, disk_gb = 50 }
}

vpc = {
  nat = "single"
}

postgres = {
  instance_class = "db.t4g.small"
  storage_gb     = { initial = 20, max = 100 }
  multi_az       = false
}
