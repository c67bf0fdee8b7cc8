-- What the management API shows of a project and lets change, and what pages and apps may do with a client key.
ALTER TABLE projects
    -- What people call it; commands go on naming the project by `name`.
    ADD COLUMN display_name text COLLATE "C",
    ADD COLUMN description text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN currency text COLLATE "C",
    ADD COLUMN dial_code text COLLATE "C",
    -- Whose pages may call, as they were written: see http/origins.py. Empty: any.
    ADD COLUMN client_trusted_domains text[] COLLATE "C" NOT NULL DEFAULT '{}',
    ADD COLUMN client_redeem_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN client_publish_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN client_list_vouchers_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN client_create_customer_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN client_loyalty_events_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN client_set_voucher_expiration_date_enabled boolean NOT NULL DEFAULT true;
