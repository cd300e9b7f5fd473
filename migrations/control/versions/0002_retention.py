"""How many days of event time an environment keeps; null for ever."""

import sqlalchemy as sa
from alembic import op

revision = "0002_retention"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("environments", sa.Column("retention_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("environments") as environments:
        environments.drop_column("retention_days")
