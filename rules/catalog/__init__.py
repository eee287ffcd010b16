"""What is watched, shipped: rule files that name no product and need no tuning."""
