# An operator's own job for workers: set nomad.job-template to this file. Wadi fills in what makes a worker a worker (its number, its environment,
# credential and identity, no restarts, the service wadi-worker) and refuses what would break it; the rest is yours. Nomad parses it for every
# run, with the run's numbers as variables; more of them come from nomad.template-variables. Any variable that Wadi sets may be left out.

variable "job_id" {
  type        = string
  description = "Name of the run's job: Wadi sets it."
  default     = "w-pipeline-job-run"
}

variable "pipeline" {
  type        = string
  description = "Slug of the pipeline: Wadi sets it."
  default     = "pipeline"
}

variable "workers" {
  type        = number
  description = "Workers of the run: Wadi sets it."
  default     = 1
  validation {
    condition     = var.workers >= 1
    error_message = "There must be at least one worker."
  }
}

variable "memory" {
  type        = number
  description = "MiB that a worker needs: Wadi sets it."
  default     = 1024
  validation {
    condition     = var.memory >= 10
    error_message = "MB must be at least 10."
  }
}

variable "cpu" {
  type        = number
  description = "MHz that a worker needs: Wadi sets it."
  default     = 1000
  validation {
    condition     = var.cpu >= 1
    error_message = "MHz must be positive."
  }
}

variable "command" {
  type        = string
  description = "Program of Wadi on the nodes."
  default     = "wadi"
}

variable "arguments" {
  type        = list(string)
  description = "Words after the program, the subcommand last."
  default     = ["worker"]
}

job "worker" {
  type        = "batch"
  datacenters = ["*"]
  priority    = 60

  meta {
    team = "streams"
  }

  group "worker" {
    count = var.workers

    network {
      mode = "host"
      port "data" {}
      port "admin" {}
    }

    # Workers of one run on as many machines as there are.
    spread {
      attribute = node.unique.id
      weight    = 50
    }

    task "worker" {
      driver = "raw_exec"

      config {
        command = var.command
        args    = var.arguments
      }

      resources {
        cpu    = var.cpu
        memory = var.memory
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }
    }
  }
}
