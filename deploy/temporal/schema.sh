#!/bin/sh
# Makes Temporal's two databases in PostgreSQL, or brings them up to date. Safe to
# repeat. SQL_HOST, SQL_USER, SQL_PASSWORD and SQL_PLUGIN come from the environment.
set -eu
for database in temporal temporal_visibility; do
  schema=temporal
  [ "$database" = temporal ] || schema=visibility
  export SQL_DATABASE=$database
  temporal-sql-tool create
  temporal-sql-tool setup-schema -v 0.0
  temporal-sql-tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
