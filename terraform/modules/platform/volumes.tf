# Dynamic host volumes, for data that outlives allocations and Terraform: a destroy that would delete one is refused.

resource "nomad_dynamic_host_volume" "data" {
  for_each = var.volumes

  name         = each.key
  namespace    = local.namespace
  plugin_id    = each.value.plugin
  node_pool    = each.value.node_pool
  node_id      = each.value.node_id
  capacity_min = each.value.capacity_min
  capacity_max = each.value.capacity_max
  parameters   = each.value.parameters

  # What a job asks for that does not say it; another mode would never be placed.
  capability {
    access_mode     = "single-node-writer"
    attachment_mode = "file-system"
  }

  lifecycle {
    prevent_destroy = true
  }
}
