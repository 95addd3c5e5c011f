"""What networks could reach at best, where that is known without training one."""
