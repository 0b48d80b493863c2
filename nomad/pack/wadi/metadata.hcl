app {
  url = ""
}

pack {
  name        = "wadi"
  description = "Stream processing in SQL: controllers, API, PostgreSQL, Prometheus and what else nomad/ has."
  version     = "0.1.0"
}
