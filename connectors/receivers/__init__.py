"""Where notices are sent: one file is one kind of receiver."""
