Wadi's jobs are registered: [[ var "jobs" . | join ", " ]].

  nomad job status
  nomad service info wadi-api      # where the UI is; its token is the item session_token of the variable nomad/jobs/wadi-api
