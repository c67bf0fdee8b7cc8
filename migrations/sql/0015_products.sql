-- The catalogue: products, their SKUs, and collections of both.
CREATE TABLE products (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    source_id text COLLATE "C",
    name text COLLATE "C",
    -- In minor units.
    price bigint CHECK (price >= 0),
    -- The names of the attributes that its SKUs may have values for.
    attributes jsonb NOT NULL,
    metadata jsonb NOT NULL,
    image_url text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    -- The entry of the bin that it is in; gone for users then, and its source id is free.
    binned_as text COLLATE "C",
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX products_by_source_id ON products (project_id, source_id) WHERE binned_as IS NULL;
CREATE INDEX products_by_created_at ON products (project_id, created_at, id) WHERE binned_as IS NULL;

CREATE TABLE skus (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    source_id text COLLATE "C",
    sku text COLLATE "C",
    price bigint CHECK (price >= 0),
    currency text COLLATE "C",
    -- The values of the product's attributes.
    attributes jsonb NOT NULL,
    metadata jsonb NOT NULL,
    image_url text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    -- As that of products; a SKU that went with its product has the product's.
    binned_as text COLLATE "C",
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, product_id) REFERENCES products ON DELETE CASCADE
);
CREATE UNIQUE INDEX skus_by_source_id ON skus (project_id, source_id) WHERE binned_as IS NULL;
CREATE INDEX skus_of_product ON skus (project_id, product_id, created_at, id);

CREATE TABLE product_collections (
    project_id integer NOT NULL REFERENCES projects,
    id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type IN ('STATIC', 'AUTO_UPDATE')),
    -- What is in one that is AUTO_UPDATE: nothing is stored about that, it is asked for.
    filter jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name),
    CHECK ((type = 'AUTO_UPDATE') = (filter IS NOT NULL))
);
CREATE INDEX product_collections_by_created_at ON product_collections (project_id, created_at, id);

-- What is in one that is STATIC, in its order; a SKU is named together with its product.
CREATE TABLE product_collection_members (
    project_id integer NOT NULL,
    collection_id text COLLATE "C" NOT NULL,
    place integer NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C",
    PRIMARY KEY (project_id, collection_id, place),
    FOREIGN KEY (project_id, collection_id) REFERENCES product_collections ON DELETE CASCADE,
    FOREIGN KEY (project_id, product_id) REFERENCES products ON DELETE CASCADE,
    FOREIGN KEY (project_id, sku_id) REFERENCES skus ON DELETE CASCADE
);
CREATE INDEX product_collection_members_of_product ON product_collection_members (project_id, product_id);
CREATE INDEX product_collection_members_of_sku ON product_collection_members (project_id, sku_id);
