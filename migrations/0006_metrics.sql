-- What the workers count, kept where several of them and every reader meet: a worker opens no port, and a restart of either
-- side loses nothing. Each worker adds what it has counted since the last time, every few seconds, in one statement.

CREATE TABLE sync_metrics (
    name       text NOT NULL,             -- as Prometheus shows it, without the suffixes of a histogram
    labels     text NOT NULL DEFAULT '',  -- as Prometheus writes them between the braces, sorted by name
    part       text NOT NULL,             -- 'counter', 'gauge', 'latest', 'sum', or the upper bound of a histogram's bucket
    worker     text NOT NULL DEFAULT '',  -- of a gauge, which is each worker's own; else empty
    value      double precision NOT NULL, -- a bucket holds what fell into it alone
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, labels, part, worker)
) WITH (
    -- A few hundred rows, updated all the time: heap-only updates, and vacuum often.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0
);
