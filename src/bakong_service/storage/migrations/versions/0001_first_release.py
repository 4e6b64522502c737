"""Every table of the first release."""

from alembic import op

from bakong_service.storage import triggers
from bakong_service.storage.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the triggers."""
    metadata.create_all(op.get_bind())
    triggers.create(op.get_bind())
