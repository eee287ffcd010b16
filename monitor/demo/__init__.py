"""A small simulated bank: what a first look needs in place of a real one, fed through the same connectors.

`clients` says who, `profile` how much, `bank` draws the transactions, `failures` spoils some, `complaints`
says who calls, `feed` writes it all to a SQLite file under the bank's own names. Everything is drawn from a seed; nobody in it exists.
"""
