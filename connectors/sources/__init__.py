"""Where facts are read from: one file is one kind of source."""
