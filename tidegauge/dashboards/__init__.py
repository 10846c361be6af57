"""What a dashboard file imports, and how such files become documents."""
