BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE api_keys (
	id VARCHAR(64) NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	prefix VARCHAR(16) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	scopes VARCHAR(64) NOT NULL, 
	tier VARCHAR(32) NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_used_at BIGINT, 
	expires_at BIGINT, 
	revoked_at BIGINT, 
	revision BIGINT NOT NULL, 
	CONSTRAINT pk_api_keys PRIMARY KEY (id), 
	CONSTRAINT fk_api_keys_environment_id FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT uq_api_keys_digest UNIQUE (digest)
);
INSERT INTO "api_keys" VALUES('key_bootstrap','env_default','bootstrap','a-key-','5198fbafca3f26dacdf4d33f7b16f4c6b661cc6f929963da569cefdba2e2b9c1','ingest,read,admin','enterprise',1795327203084,NULL,NULL,NULL,1);
CREATE TABLE environments (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	public_metrics BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_environments PRIMARY KEY (id)
);
INSERT INTO "environments" VALUES('env_default','default',1,1795327203076);
CREATE INDEX ix_api_keys_revision ON api_keys (revision);
COMMIT;
