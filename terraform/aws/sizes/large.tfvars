# A large installation: hundreds of pipelines, five servers, larger clients.
# Use it with: terraform apply -var-file sizes/large.tfvars

servers = {
  count         = 5
  instance_type = "m7g.large"
  disk_gb       = 80
}

client_pools = {
  default = { instance_types = ["m7g.xlarge"], min = 3, initial = 3, max = 6, disk_gb = 100 }
  workers = { instance_types = ["c7g.4xlarge", "m7g.4xlarge"], min = 6, initial = 12, max = 40, disk_gb = 200 }
}

vpc = {
  nat = "per-zone"
}

postgres = {
  instance_class = "db.m7g.large"
  storage_gb     = { initial = 200, max = 1000 }
  multi_az       = true
}
