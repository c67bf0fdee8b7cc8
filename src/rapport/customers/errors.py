"""Why nothing is done about a customer, in the reference's keys."""

from rapport.core.errors import Forbidden


class UnknownCustomer(Forbidden):
    """The customer is not known, and client keys make none: client_create_customer_enabled is false."""
