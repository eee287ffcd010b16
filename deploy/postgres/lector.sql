-- What boards (Grafana, Power BI) may read of Vigía's state: the views v_*, and nothing else. Run it as the owner of the tables, after
-- Vigía's first start (which makes the views), and again after an upgrade:
--
--   psql "$VIGIA_DATABASE" -v ON_ERROR_STOP=1 -f lector.sql
--
-- and once give the role a password (nothing is stored here):  \password vigia_lector
--
-- A view runs with its owner's rights, so the role needs none on the tables. Times are timestamptz, amounts numeric, ages in seconds.
--
--   v_incidents    an afectación a row: where, since when, state, who has it, clients affected and exposed, cases by what was decided
--   v_impacts      an afectación, client and product a row: affected or exposed, failures, amount, priority
--   v_cases        what was decided for each client: opened, linked or left, its number at the desk, who spoke first (lead_seconds)
--   v_clocks       each case of any tool, open or solved in the last 92 days, and how its promise (ANS) stands; renewed every minute
--   v_clients      the clients as the bank has told of them
--   v_holdings     what they hold
--   v_acts         what people did, when
--   v_doubts       operations that an afectación left in doubt
--   v_escalations  causes that came back
--   v_verdicts     of each place that is watched: in how many ways it is healthy, unknown, in breach
--   v_indicators   the indicators of each month, as the product counts them; renewed every hour
--   v_leads        who reported in the last 92 days, and whether they were reached first; renewed every hour
--   v_stories      stories of the improvement backlog, by sprint: planned, done
--
-- Every column, and how they go together: docs/powerbi.md.

DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'vigia_lector') THEN
    CREATE ROLE vigia_lector LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
  END IF;
END
$$;
ALTER ROLE vigia_lector SET default_transaction_read_only = on;
ALTER ROLE vigia_lector SET statement_timeout = '15s';
ALTER ROLE vigia_lector SET timezone = 'UTC';
ALTER ROLE vigia_lector CONNECTION LIMIT 20;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM vigia_lector;
GRANT USAGE ON SCHEMA public TO vigia_lector;
GRANT SELECT ON v_incidents, v_impacts, v_cases, v_clocks, v_clients, v_holdings, v_acts, v_doubts, v_escalations, v_verdicts,
  v_indicators, v_leads, v_stories
  TO vigia_lector;
