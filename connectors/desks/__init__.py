"""Where cases are opened: one file is one kind of desk."""
