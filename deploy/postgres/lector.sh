#!/bin/sh
# Makes, or renews, the role that Grafana reads with; its password is the secret `lector`. Once after Vigía's first start, and after an upgrade:
#   docker compose -f deploy/compose.yaml exec postgres sh /vigia/lector.sh
set -eu
psql --username vigia --dbname vigia --set ON_ERROR_STOP=1 --file /vigia/lector.sql
psql --username vigia --dbname vigia --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/lector)" <<'SQL'
ALTER ROLE vigia_lector PASSWORD :'password';
SQL
