"""What a study trains: from params.yaml to networks, and what that takes."""
