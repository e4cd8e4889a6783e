"""Postgres without our domain: the embedded server, pool, named queries, migrations, backup."""
