# A medium installation: some dozens of pipelines, each zone with a NAT gateway of its own, a database with a standby.
# Use it with: terraform apply -var-file sizes/medium.tfvars

servers = {
  count         = 3
  instance_type = "t4g.medium"
  disk_gb       = 40
}

client_pools = {
  default = { instance_types = ["m7g.large"], min = 2, initial = 3, max = 4, disk_gb = 100 }
  workers = { instance_types = ["c7g.xlarge", "m7g.xlarge", "c6g.xlarge"], min = 2, initial = 6, max = 12, disk_gb = 100 }
}

vpc = {
  nat = "per-zone"
}

postgres = {
  instance_class = "db.t4g.medium"
  storage_gb     = { initial = 50, max = 500 }
  multi_az       = true
}
