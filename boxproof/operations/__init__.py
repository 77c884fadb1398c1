"""What users do to a live box: back up, rotate its token, replace stale images, publish."""
