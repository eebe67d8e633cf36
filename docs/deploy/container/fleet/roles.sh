#!/bin/bash
# The database of the fleet and its three roles, as docs/deploy/postgresql.md has them. The image of PostgreSQL runs this
# once, when its database is made.
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set owner `cat "$SECRETS/fleet-owner-password"`
\set restore `cat "$SECRETS/fleet-password"`
\set read `cat "$SECRETS/fleet-read-password"`
CREATE ROLE restore_owner LOGIN PASSWORD :'owner';
CREATE ROLE restore LOGIN PASSWORD :'restore';
CREATE ROLE restore_read LOGIN PASSWORD :'read';
CREATE DATABASE fleet OWNER restore_owner ENCODING 'UTF8' TEMPLATE template0;
\connect fleet
REVOKE ALL ON DATABASE fleet FROM PUBLIC;
GRANT CONNECT ON DATABASE fleet TO restore, restore_read;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA orchestrator AUTHORIZATION restore_owner;
GRANT USAGE ON SCHEMA orchestrator TO restore, restore_read;
ALTER DEFAULT PRIVILEGES FOR ROLE restore_owner IN SCHEMA orchestrator
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO restore;
ALTER DEFAULT PRIVILEGES FOR ROLE restore_owner IN SCHEMA orchestrator
    GRANT USAGE ON SEQUENCES TO restore;
ALTER DEFAULT PRIVILEGES FOR ROLE restore_owner IN SCHEMA orchestrator
    GRANT SELECT ON TABLES TO restore_read;
SQL
