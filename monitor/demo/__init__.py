"""A simulated bank: what a first look needs in place of a real one, and what detection is measured on.

`clients` says who, `profile` and `batches` how much, `bank` draws the transactions, `failures` spoils some. Live: `complaints` says
who calls, `feed` writes it all to a SQLite file under the bank's own names, `casetool` keeps the cases. A month: `schedule` says when
which of the `kinds` strikes, `harmless` what only looks like it, `arrivals` how rows come in, `callers` who complains, `truth` whom
it touched and how soon that could be known, `month` writes the files. Everything is drawn from a seed; nobody in it exists.
"""
