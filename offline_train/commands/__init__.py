"""What ``livecover-train`` offers: a module holds a group's options and what its commands do."""
